"""Graphs in the text format of the DIMACS challenges on cliques and colourings."""

from __future__ import annotations

import re

from solvers.graph.graph import MAX_VERTICES, Edge
from solvers.graph.lines import filled_lines, line_error, shown
from solvers.graph.named_graph import NamedGraph, numbered
from solvers.problem_error import ProblemError

_HEADER = "p edge N M (or p col N M)"
_EDGE = "e A B"
#: Some files of complements repeat the header's ``p`` where ``e`` belongs.
_EDGE_KINDS = ("e", "p")
_PROBLEMS = ("edge", "edges", "col")


def is_dimacs(text: str) -> bool:
    """Whether a line has the shape of a header or an edge; no edge list has such a line."""
    shape = r"^[ \t]*(p[ \t]+[a-z]+|[ep])[ \t]+[0-9]+[ \t]+[0-9]+[ \t\r]*$"
    return re.search(shape, text, re.MULTILINE) is not None


def parse_dimacs(text: str) -> NamedGraph:
    """Read ``p edge N M``, then ``e A B`` for each edge, vertices being 1 to N.

    Edges may begin with ``p`` too. M is not looked at. Comments (``c``) and lines of other kinds
    that are one letter (weights, embeddings, parameters) are skipped.

    Args:
        text: the file.

    Raises:
        ProblemError: ``graph``, with the line at fault: the header is missing, doubled or of
            another problem, there are too many vertices, or a line is malformed, a self-loop, or
            leads out of the graph.
    """
    vertices: int | None = None
    edges: set[Edge] = set()
    for number, line in filled_lines(text):
        words = line.split()
        if words[0] == "p" and len(words) > 1 and words[1].isalpha():
            if vertices is not None:
                raise line_error(number, "a second header", "one a file")
            vertices = _vertices(number, line)
        elif words[0] in _EDGE_KINDS:
            if vertices is None:
                raise line_error(number, f"got {shown(line)} first", f"the header, {_HEADER}")
            edges.add(_edge(number, line, vertices))
        elif not _is_skipped(words[0]):
            accepted = f"{_HEADER}, {_EDGE}, c and a comment"
            raise line_error(number, f"got {shown(line)}", accepted)
    if vertices is None:
        raise ProblemError("graph", f"a DIMACS file without a header, accepted: {_HEADER}")
    return NamedGraph.merged(numbered(vertices), edges)


def _is_skipped(kind: str) -> bool:
    # "a" are the arcs of a directed graph, which must not get lost in silence.
    return kind.startswith("c") or (len(kind) == 1 and kind.isalpha() and kind != "a")


def _vertices(number: int, line: str) -> int:
    words = line.split()
    if len(words) != 4 or words[1] not in _PROBLEMS or not _are_numbers(words[2:]):
        raise line_error(number, f"got {shown(line)}", _HEADER)
    vertices = int(words[2])
    if not 1 <= vertices <= MAX_VERTICES:
        raise line_error(number, f"{vertices} vertices", f"1 to {MAX_VERTICES}")
    return vertices


def _edge(number: int, line: str, vertices: int) -> Edge:
    words = line.split()
    if len(words) != 3 or not _are_numbers(words[1:]):
        raise line_error(number, f"got {shown(line)}", _EDGE)
    a, b = int(words[1]), int(words[2])
    for end in (a, b):
        if not 1 <= end <= vertices:
            raise line_error(number, f"vertex {end}", f"1 to {vertices}")
    if a == b:
        raise line_error(number, f"edge {a}-{b} is a self-loop", "two vertices")
    return (a - 1, b - 1) if a < b else (b - 1, a - 1)


def _are_numbers(words: list[str]) -> bool:
    # int() refuses thousands of digits with an error of its own.
    return all(re.fullmatch("-?[0-9]{1,18}", word) for word in words)
