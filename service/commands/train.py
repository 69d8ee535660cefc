"""``inkfill train``: its commands."""

from __future__ import annotations

import typer

from service.commands.train_graph import graph
from service.commands.train_sudoku import sudoku

app = typer.Typer(help="Train a checkpoint.", no_args_is_help=True)
app.command()(sudoku)
app.command()(graph)


@app.callback()
def _group() -> None:
    """Train a checkpoint."""
