"""Graphs as lists of edges, two labels a line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from solvers.graph.graph import MAX_VERTICES, Edge
from solvers.graph.lines import filled_lines, line_error, shown
from solvers.graph.named_graph import MAX_NAME, NamedGraph, is_name
from solvers.problem_error import ProblemError

_ACCEPTED = "two labels for an edge or one for a vertex without edges"
_QUOTED = "commas in all lines, and quotes around a label with blanks that stands alone"
#: The first line of some CSV files.
_COLUMNS = ["source", "target"]
#: Where a line of GML or DOT opens or closes a block; the rest of such a file could pass for edges.
_BRACKETS = ("[", "]", "{", "}")


def parse_edge_list(text: str) -> NamedGraph:
    """Read two labels a line for an edge, one for a vertex without edges.

    Blanks stand between labels, or commas in all lines if they do in one: then labels may contain
    blanks, quotes work as in CSV, and a first line ``source,target`` is skipped. A label with
    blanks that stands alone must be quoted: it could be an edge. ``#`` at the start of a word
    begins a comment. What networkx writes behind an edge in braces is skipped.

    Vertices are in the order in which their labels first appear, or in numeric order if all
    labels are integers.

    Args:
        text: the file.

    Raises:
        ProblemError: ``graph``, with the line at fault: it has more labels, a label that is too
            long or cannot be printed, or a self-loop; there are too many labels, or none.
    """
    vertex_of: dict[str, int] = {}
    edges: set[Edge] = set()
    for number, labels in _labels(text):
        for label in labels:
            _refuse_label(number, label)
            vertex_of.setdefault(label, len(vertex_of))
        if len(vertex_of) > MAX_VERTICES:
            more = f"more than {MAX_VERTICES} different labels"
            raise line_error(number, more, f"1 to {MAX_VERTICES} vertices")
        if len(labels) == 2:
            a, b = vertex_of[labels[0]], vertex_of[labels[1]]
            if a == b:
                raise line_error(number, f"edge {labels[0]}-{labels[1]} is a self-loop", _ACCEPTED)
            edges.add((a, b) if a < b else (b, a))
    if not vertex_of:
        raise ProblemError("graph", f"no vertex in it, accepted: lines with {_ACCEPTED}")
    return _in_order(list(vertex_of), edges)


def _in_order(labels: list[str], edges: set[Edge]) -> NamedGraph:
    """Sort the vertices if their labels are integers."""
    if not all(re.fullmatch("[+-]?[0-9]+", label) for label in labels):
        return NamedGraph.merged(labels, edges)
    order = sorted(range(len(labels)), key=lambda vertex: int(labels[vertex]))
    place = {vertex: index for index, vertex in enumerate(order)}
    names = [labels[vertex] for vertex in order]
    return NamedGraph.merged(names, ((place[a], place[b]) for a, b in edges))


def _labels(text: str) -> Iterator[tuple[int, list[str]]]:
    """One or two labels of each line."""
    comma = "," in text and any("," in line for _, line in _bare_lines(text))
    for index, (number, line) in enumerate(_bare_lines(text)):
        labels = _split(line, comma)
        if comma and len(labels) == 1 and line == labels[0] and len(line.split()) > 1:
            raise line_error(number, f"{shown(line)} has no comma, but other lines have", _QUOTED)
        if comma and index == 0 and labels == _COLUMNS:
            continue
        if not 1 <= len(labels) <= 2:
            raise line_error(number, f"got {shown(line)}", _ACCEPTED)
        yield number, labels


def _bare_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments and without what stands in braces behind an edge."""
    for number, line in filled_lines(text):
        bare = line
        if "#" in line:
            bare = re.split(r"(?:^|(?<=\s))#", line, maxsplit=1)[0].strip()
        if bare.endswith("}"):
            bare = bare.partition(" {")[0].rstrip()
        if bare:
            yield number, bare


def _split(line: str, comma: bool) -> list[str]:
    if not comma:
        return line.split()
    try:
        labels = next(csv.reader([line], skipinitialspace=True))
    except csv.Error:  # a field beyond the reader's limit is one label, which is too long
        return [line]
    return [label.strip() for label in labels]


def _refuse_label(number: int, label: str) -> None:
    if not is_name(label) or label in _BRACKETS:
        accepted = f"1 to {MAX_NAME} printable characters"
        raise line_error(number, f"got the label {shown(label)}", accepted)
