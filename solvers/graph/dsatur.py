"""Colouring greedily: the next vertex is the one that sees most colours (Brélaz 1979)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from solvers.graph.graph import Graph


def greedy_coloring(
    graph: Graph, clamps: Iterable[tuple[int, int]] = (), colors: int | None = None
) -> tuple[int, ...] | None:
    """Colour every vertex, those that see most colours first, of these those with most neighbours.

    Args:
        graph: what to colour.
        clamps: (vertex, colour) pairs that are kept, without conflicts.
        colors: how many there are; None for as many as it takes.

    Returns:
        The colour of every vertex, from 0 and always the smallest that is free; None if the
        colours did not suffice, which proves nothing.
    """
    n = graph.vertices
    color_of = np.full(n, -1)
    pairs = list(clamps)
    limit = max([n, *(color + 1 for _, color in pairs)]) if colors is None else colors
    sees = np.zeros((n, limit), np.bool_)
    degree = graph.adjacency.sum(1)

    def paint(vertex: int, color: int) -> None:
        color_of[vertex] = color
        sees[list(graph.neighbours[vertex]), color] = True

    for vertex, color in pairs:
        paint(vertex, color)
    for _ in range(n - len(pairs)):
        urgency = np.where(color_of < 0, sees.sum(1) * (n + 1) + degree, -1)
        vertex = int(np.argmax(urgency))
        if sees[vertex].all():
            return None
        paint(vertex, int(np.argmin(sees[vertex])))
    return tuple(color_of.tolist())


def clique_cover_size(graph: Graph) -> int:
    """Cliques that hold every vertex between them: no independent set is larger."""
    coloring = greedy_coloring(graph.complement)
    assert coloring is not None
    return max(coloring) + 1
