"""Read a graph from a file, in whichever of three formats it is."""

from __future__ import annotations

import enum
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from solvers.graph.dimacs import is_dimacs, parse_dimacs
from solvers.graph.edge_list import parse_edge_list
from solvers.graph.named_graph import NamedGraph
from solvers.graph.node_link import parse_node_link
from solvers.problem_error import ProblemError

#: About twice what the complete graph of 512 vertices takes as indented JSON.
MAX_CHARACTERS = 1 << 24


class Format(enum.Enum):
    """How a graph is written down."""

    DIMACS = "dimacs"
    """``p edge N M``, then ``e A B`` for each edge; see ``parse_dimacs``."""
    EDGE_LIST = "edges"
    """Two labels a line; see ``parse_edge_list``."""
    NODE_LINK = "node-link"
    """JSON of networkx; see ``parse_node_link``."""


_PARSERS: dict[Format, Callable[[str], NamedGraph]] = {
    Format.DIMACS: parse_dimacs,
    Format.EDGE_LIST: parse_edge_list,
    Format.NODE_LINK: parse_node_link,
}


def read_graph(source: Path | str | TextIO, written_as: Format | None = None) -> NamedGraph:
    """Read the graph in a file; no more of it than a graph can take is looked at.

    Args:
        source: a path, gzipped if it ends in ``.gz``, or an open text stream.
        written_as: the format; None tells it from the content.

    Raises:
        OSError: the file cannot be read.
        ProblemError: see ``parse_graph``.
    """
    if not isinstance(source, str | Path):
        return parse_graph(source.read(MAX_CHARACTERS + 1), written_as)
    path = Path(source)
    opener = gzip.open if path.suffix == ".gz" else open
    # A byte that is no UTF-8 becomes a character that is part of a name.
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as stream:
        return parse_graph(stream.read(MAX_CHARACTERS + 1), written_as)


def parse_graph(text: str, written_as: Format | None = None) -> NamedGraph:
    """Read a graph from text.

    Edges that are there more than once, in whichever direction, are merged.

    Args:
        text: what a file holds.
        written_as: the format; None tells it from the content.

    Raises:
        ProblemError: the field is ``graph`` or begins so; the message names the line at fault and
            what is accepted. The text is longer than 16 Mi characters or 524,288 lines, the graph
            larger than 512 vertices, or the format's parser found something else; see there.
    """
    if len(text) > MAX_CHARACTERS:
        raise ProblemError("graph", f"too long, accepted: up to {MAX_CHARACTERS} characters")
    text = text.removeprefix("\ufeff")
    return _PARSERS[written_as or detect(text)](text)


def detect(text: str) -> Format:
    """The format that a text is in; whatever is neither JSON nor DIMACS is an edge list."""
    if text.lstrip()[:1] in ("{", "["):
        return Format.NODE_LINK
    return Format.DIMACS if is_dimacs(text) else Format.EDGE_LIST
