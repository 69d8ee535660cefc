"""``inkfill train``."""

from __future__ import annotations

import json
import math
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from service.commands.console import err, fail

if TYPE_CHECKING:
    from engine.training.trainer import Trainer

_YEAR = 366 * 24 * 60  # minutes

app = typer.Typer(help="Train a checkpoint.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Train a checkpoint."""


@app.command()
def sudoku(
    out: Annotated[Path, typer.Argument(help="Folder for the checkpoint, the state and the log.")],
    minutes: Annotated[
        float,
        typer.Option(
            help="Wall-clock budget, earlier runs in the folder counted in.", min=0.01, max=_YEAR
        ),
    ] = 20.0,
    extra: Annotated[
        list[str] | None,
        typer.Option(
            help="CSV of training puzzles (columns puzzle, solution; may be gzipped) that joins "
            "the mixture; FILE or FILE:SHARE. The share is a weight, beside which generated "
            "puzzles weigh 0.6 together, and a list without one 0.2. May be repeated.",
        ),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="auto takes a GPU if there is one.")
    ] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.", min=1)] = None,
    canvases: Annotated[int, typer.Option(help="Live canvases of the main lane.", min=1)] = 96,
    horizon: Annotated[
        int, typer.Option(help="Steps after which a live canvas is replaced.", min=1)
    ] = 16,
    start: Annotated[
        Path | None,
        typer.Option(help="Sudoku checkpoint whose weights a new run begins with."),
    ] = None,
    width: Annotated[int, typer.Option(help="Hidden size, if weights are drawn.", min=8)] = 96,
    depth: Annotated[int, typer.Option(help="Layers, if weights are drawn.", min=1)] = 4,
    learning_rate: Annotated[float, typer.Option(help="Its peak.", min=0.0, max=1.0)] = 2e-3,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the main lane; needs a C++ compiler.")
    ] = False,
    seed: Annotated[
        int, typer.Option(help="Of weights, data and noise.", min=0, max=2**63 - 1)
    ] = 0,
) -> None:
    """Train the Sudoku checkpoint on its own rollouts.

    Progress is shown and logged to OUT/log.jsonl. The state is saved every minute, so that the
    same command goes on where it was ended; when the budget is spent, OUT holds a checkpoint
    that `inkfill serve --model OUT` serves.
    """
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
    _log_start(out, run)
    _train(out, run)


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
    run.export(out)
    err.print(f"checkpoint written to {out} after {run.update} updates", soft_wrap=True)
    folder = shlex.quote(str(out))
    for use, command in (
        ("serve it", f"inkfill serve --model {folder}"),
        ("measure it", f"python -m benchmarks.sudoku --checkpoint {folder}"),
    ):
        err.print(f"{use}: {command}", soft_wrap=True, markup=False)


def _append(path: Path, record: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
