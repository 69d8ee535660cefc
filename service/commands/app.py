"""The ``inkfill`` application: its commands, and the options of all."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from service.commands import (
    color,
    demo,
    generate,
    hamiltonian,
    independent_set,
    models,
    quantize,
    serve,
    sudoku,
    train,
)

app = typer.Typer(
    name="inkfill",
    help="Fill in the blanks: discrete diffusion over gRPC, every answer checked.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich folds the example, and a copied puzzle loses cells
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve.serve)
app.command()(sudoku.sudoku)
app.command()(color.color)
app.command()(independent_set.independent_set)
app.command()(hamiltonian.hamiltonian)
app.command()(generate.generate)
app.command()(models.models)
app.command()(quantize.quantize)
app.command()(demo.demo)
app.add_typer(train.app, name="train")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"inkfill {version('inkfill')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Fill in the blanks: discrete diffusion over gRPC, every answer checked."""
