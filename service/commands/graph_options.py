"""What every command on graphs takes: the graph, how its answer is shown, and vertices by name."""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from service.commands.console import fail
from solvers.graph.formats import Format, read_graph
from solvers.graph.named_graph import NamedGraph
from solvers.problem_error import ProblemError

GraphArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="File with the graph, gzipped if it ends in .gz; '-' reads standard input. Up to 512 "
        "vertices.",
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="dimacs: `p edge N M`, then `e A B` for each edge; edges: two names a line; "
        "node-link: JSON of networkx.",
        show_default="detected",
    ),
]
WatchOption = Annotated[
    bool,
    typer.Option("--watch", help="Draw the graph as it denoises, where the output is a terminal."),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the response message as one line of JSON; its vertices are numbered from 0, "
        "in the order of the file. Wins over --watch.",
    ),
]
SvgOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Draw the answer into this file; a draft, too, which the caption then says.",
        show_default="no picture",
    ),
]


def graph_in(file: str, written_as: Format | None) -> NamedGraph:
    """The graph in a file, or on standard input; one that cannot be read ends the command."""
    if file == "-" and sys.stdin is None:
        fail("-: there is no standard input")
    try:
        return read_graph(sys.stdin if file == "-" else file, written_as)
    except UnicodeDecodeError:
        fail(f"{file}: got other bytes, accepted: UTF-8")
    except (OSError, EOFError, zlib.error) as error:
        fail(f"{file}: {getattr(error, 'strerror', None) or error}")
    except ProblemError as error:
        fail(f"{file}: {error}")


def vertex_in(named: NamedGraph, name: str, option: str) -> int:
    """The vertex that an option names."""
    try:
        return named.vertex(name, option)
    except ProblemError as error:
        fail(str(error))


def vertices_in(named: NamedGraph, names: Iterable[str], option: str) -> tuple[int, ...]:
    """The vertices that an option names, ascending, each once."""
    return tuple(sorted({vertex_in(named, name, option) for name in names}))


def clamps_in(
    named: NamedGraph, texts: Sequence[str], noun: str, count: int
) -> list[tuple[int, int]]:
    """What ``--clamp`` fixes.

    Args:
        named: the graph.
        texts: ``NAME=NUMBER`` each; a name may contain ``=``.
        noun: what the number is of.
        count: how many numbers there are, from 0.

    Returns:
        (vertex, number) pairs, each vertex once.
    """
    given: dict[int, int] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if not name or not re.fullmatch(r"\s*[0-9]{1,9}\s*", number):
            fail(f"--clamp: got {text!r}, accepted: a vertex and its {noun}, NAME={noun.upper()}")
        value = int(number)
        if value >= count:
            fail(f"--clamp {text}: {noun} {value}, accepted: 0 to {count - 1}")
        vertex = vertex_in(named, name, "--clamp")
        if given.setdefault(vertex, value) != value:
            fail(f"--clamp {text}: {name} has {noun} {given[vertex]} already, accepted: one each")
    return list(given.items())
