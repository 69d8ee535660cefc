"""Cliques, found fast: one large one, and covers of all vertices or of all edges.

Greedy, so that none is the best there is: a large clique bounds the colours of a graph from below,
a cover of its vertices the size of an independent set from above.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from solvers.graph.graph import Graph
from solvers.graph.independent_set.local_search import enlarge

#: Vertices that all share edges, ascending.
Clique = tuple[int, ...]

#: Steps of the search for a large clique: some ten milliseconds.
_STEPS = 20_000


def large_clique(graph: Graph, seed: int = 0) -> Clique:
    """A clique that often is the largest; same graph and seed: same clique."""
    apart = ~graph.adjacency
    np.fill_diagonal(apart, False)
    return enlarge(apart, (), graph.vertices, seed, _STEPS, np.inf)


def edge_cover(graph: Graph) -> list[Clique]:
    """Maximal cliques that hold every edge between them."""
    uncovered = graph.adjacency.copy()
    members = np.zeros(graph.vertices, np.int64)
    cliques = []
    for a, b in graph.edges:
        if uncovered[a, b]:
            size = _grow(graph.adjacency, uncovered, a, b, members)
            cliques.append(tuple(sorted(members[:size].tolist())))
    return cliques


@njit(cache=True)
def _grow(adjacency, uncovered, a, b, members):
    """Write a maximal clique around an edge and take its edges from ``uncovered``; its size.

    The vertex that adds most uncovered edges comes next.
    """
    n = len(adjacency)
    size, vertex = 0, a
    fits = np.ones(n, np.bool_)
    gain = np.zeros(n, np.int64)
    while vertex >= 0:
        for i in range(size):
            uncovered[vertex, members[i]] = uncovered[members[i], vertex] = False
        members[size] = vertex
        size += 1
        best = -1
        for other in range(n):
            fits[other] &= adjacency[vertex, other]
            if fits[other]:
                gain[other] += uncovered[vertex, other]
                if best < 0 or gain[other] > gain[best]:
                    best = other
        vertex = b if size == 1 else best
    return size
