"""What every ``inkfill train`` command shares: options, progress, and what a run leaves behind."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from service.commands.console import err

if TYPE_CHECKING:
    from engine.training.trainer import Trainer

_YEAR = 366 * 24 * 60  # minutes

Device = Literal["auto", "cpu", "cuda"]

OutArgument = Annotated[
    Path, typer.Argument(help="Folder for the checkpoint, the state and the log.")
]
MinutesOption = Annotated[
    float,
    typer.Option(
        help="Wall-clock budget, earlier runs in the folder counted in.", min=0.01, max=_YEAR
    ),
]
DeviceOption = Annotated[Device, typer.Option(help="auto takes a GPU if there is one.")]
ThreadsOption = Annotated[int | None, typer.Option(help="CPU threads.", min=1)]
CanvasesOption = Annotated[int, typer.Option(help="Live canvases of the main lane.", min=1)]
HorizonOption = Annotated[
    int, typer.Option(help="Steps after which a live canvas is replaced.", min=1)
]
StartOption = Annotated[
    Path | None,
    typer.Option(help="Checkpoint for the same task whose weights a new run begins with."),
]
WidthOption = Annotated[int, typer.Option(help="Hidden size, if weights are drawn.", min=8)]
DepthOption = Annotated[int, typer.Option(help="Layers, if weights are drawn.", min=1)]
LearningRateOption = Annotated[float, typer.Option(help="Its peak.", min=0.0, max=1.0)]
CompileOption = Annotated[
    bool, typer.Option("--compile", help="Compile the main lane; needs a C++ compiler.")
]
SeedOption = Annotated[int, typer.Option(help="Of weights, data and noise.", min=0, max=2**63 - 1)]


def train(out: Path, run: Trainer, uses: Mapping[str, str]) -> None:
    """Train until the budget is spent, and write the checkpoint.

    Args:
        out: where the log, the state and the checkpoint go.
        run: ready to go on.
        uses: of the checkpoint: what a command is for -> the command, ``{}`` for the folder.
    """
    _log_start(out, run)
    _train(out, run)
    run.export(out)
    err.print(f"checkpoint written to {out} after {run.update} updates", soft_wrap=True)
    folder = shlex.quote(str(out))
    for use, command in uses.items():
        err.print(f"{use}: {command.format(folder)}", soft_wrap=True, markup=False)


def _log_start(out: Path, run: Trainer) -> None:
    record = {
        "command": sys.argv,
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
        "update": run.update,
        "elapsed_s": run.elapsed_s,
        "settings": asdict(run.settings),
    }
    _append(out / "log.jsonl", record)


def _train(out: Path, run: Trainer) -> None:
    columns = (
        TextColumn("{task.fields[state]}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as progress:
        budget = run.settings.budget_s
        task = progress.add_task("", total=budget, state="starting")
        for record in run.run(out / "state.pt"):
            _append(out / "log.jsonl", asdict(record))
            state = f"update {record.update}, loss {record.loss:.3f}, solved {record.solved:.1%}"
            progress.update(task, completed=record.elapsed_s, state=state)


def _append(path: Path, record: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
