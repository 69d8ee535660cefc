"""``inkfill train graph``."""

from __future__ import annotations

import enum
from importlib import import_module
from typing import Annotated

import typer

from service.commands.console import fail
from service.commands.training import (
    CanvasesOption,
    CompileOption,
    DepthOption,
    DeviceOption,
    HorizonOption,
    LearningRateOption,
    MinutesOption,
    OutArgument,
    SeedOption,
    StartOption,
    ThreadsOption,
    WidthOption,
    train,
)


class Problem(enum.Enum):
    """What a network can be trained for; ``solvers.graph`` has a folder of each one's name."""

    COLORING = "coloring"
    INDEPENDENT_SET = "independent-set"
    HAMILTONIAN = "hamiltonian"

    @property
    def module(self) -> str:
        """Where its ``prepare`` is."""
        return f"solvers.graph.{self.value.replace('-', '_')}.train"


def graph(
    problem: Annotated[Problem, typer.Argument(help="What the checkpoint is for.")],
    out: OutArgument,
    minutes: MinutesOption = 20.0,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    canvases: CanvasesOption = 96,
    horizon: HorizonOption = 16,
    start: StartOption = None,
    width: WidthOption = 96,
    depth: DepthOption = 4,
    learning_rate: LearningRateOption = 2e-3,
    compiled: CompileOption = False,
    seed: SeedOption = 0,
) -> None:
    """Train a checkpoint for a problem on graphs, on its own rollouts.

    Its graphs are generated as it goes. Progress is shown and logged to OUT/log.jsonl. The state is
    saved every minute, so that the same command goes on where it was ended; when the budget is
    spent, OUT holds a checkpoint that `inkfill serve --model OUT` serves.

    \b
    Example:
    inkfill train graph coloring runs/coloring --minutes 20
    """  # noqa: D301  # click takes a backspace for "do not fold this paragraph"
    # Training takes seconds to import, which --help need not wait for.
    from solvers.training import TrainingOptions

    options = TrainingOptions(
        budget_s=minutes * 60,
        device=device,
        threads=threads,
        canvases=canvases,
        horizon=horizon,
        start=start,
        width=width,
        depth=depth,
        learning_rate=learning_rate,
        compiled=compiled,
        seed=seed,
    )
    try:
        run = import_module(problem.module).prepare(options, out)
    except (ValueError, OSError) as error:
        fail(str(error))
    train(out, run, {"serve it": "inkfill serve --model {}"})
