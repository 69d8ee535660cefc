"""``inkfill train sudoku``."""

from __future__ import annotations

import math
from pathlib import Path
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


def sudoku(
    out: OutArgument,
    minutes: MinutesOption = 20.0,
    extra: Annotated[
        list[str] | None,
        typer.Option(
            help="CSV of training puzzles (columns puzzle, solution; may be gzipped) that joins "
            "the mixture; FILE or FILE:SHARE. The share is a weight, beside which generated "
            "puzzles weigh 0.6 together, and a list without one 0.2. May be repeated.",
        ),
    ] = None,
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
    """Train the Sudoku checkpoint on its own rollouts.

    Progress is shown and logged to OUT/log.jsonl. The state is saved every minute, so that the
    same command goes on where it was ended; when the budget is spent, OUT holds a checkpoint
    that `inkfill serve --model OUT` serves.

    \b
    Example:
    inkfill train sudoku runs/mine --minutes 20
    """  # noqa: D301  # click takes a backspace for "do not fold this paragraph"
    # Training takes seconds to import, which --help need not wait for.
    from solvers.sudoku.train import prepare
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
        run = prepare(options, out, [_extra(text) for text in extra or ()])
    except (ValueError, OSError) as error:
        fail(str(error))
    train(
        out,
        run,
        {
            "serve it": "inkfill serve --model {}",
            "measure it": "python -m benchmarks.sudoku --checkpoint {}",
        },
    )


def _extra(text: str) -> tuple[Path, float]:
    name, _, share = text.rpartition(":")
    if not name:
        return Path(text), 0.2
    try:
        number = float(share)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        fail(f"--extra: got {text!r}, accepted: FILE or FILE:SHARE with a number above 0 for SHARE")
    return Path(name), number
