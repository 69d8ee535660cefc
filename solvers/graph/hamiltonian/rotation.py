"""Hamiltonian paths by rotation and extension (Posa 1976): fast where there are many edges.

A path grows at its end. Where the end has no neighbour left, one on the path is taken for the
next: what comes after it is turned around, which gives the path another end to grow at.
"""

from __future__ import annotations

import numpy as np

from solvers.graph.graph import Graph
from solvers.graph.hamiltonian.problem import HamiltonianProblem, Tour

#: Turns for each vertex. A graph that takes more is left to other searches.
_TURNS = 20


def rotate(problem: HamiltonianProblem, seed: int) -> Tour | None:
    """Look for a path or cycle; None proves nothing.

    Args:
        problem: of which no places but the first and the last are given, else the answer is None.
        seed: same problem and seed: same answer.
    """
    n = problem.graph.vertices
    vertex_at = {position: vertex for vertex, position in problem.clamps}
    if not vertex_at.keys() <= {0, n - 1} or (problem.cycle and len(vertex_at) == 2) or n < 3:
        return None
    if problem.cycle:
        return _from_place(_grow(problem.graph, 0, 0, seed), vertex_at)
    if 0 in vertex_at or n - 1 not in vertex_at:
        return _grow(problem.graph, vertex_at.get(0, 0), vertex_at.get(n - 1), seed)
    backward = _grow(problem.graph, vertex_at[n - 1], None, seed)
    return backward and backward[::-1]


def _from_place(cycle: Tour | None, vertex_at: dict[int, int]) -> Tour | None:
    """A cycle turned so that a clamped vertex is at its place."""
    if cycle is None or not vertex_at:
        return cycle
    ((position, vertex),) = vertex_at.items()
    shift = (cycle.index(vertex) - position) % len(cycle)
    return cycle[shift:] + cycle[:shift]


def _grow(graph: Graph, start: int, goal: int | None, seed: int) -> Tour | None:
    """A path through all vertices from ``start``.

    Args:
        graph: n vertices.
        start: its first vertex.
        goal: ``start`` for a cycle; another vertex that is to be the last; None for any.
        seed: of the turns.
    """
    rng, edges = np.random.default_rng(seed), graph.adjacency
    path, free = [start], np.ones(graph.vertices, np.bool_)
    free[start] = False
    if goal is not None:
        free[goal] = False
    length = graph.vertices - (goal is not None and goal != start)
    for _ in range(_TURNS * graph.vertices + 100):
        end = path[-1]
        if len(path) == length and (goal is None or edges[end, goal]):
            return tuple(path if goal in (None, start) else [*path, goal])
        onward = np.flatnonzero(edges[end] & free)
        if len(onward):  # the neighbour with fewest ways on comes next
            path.append(int(onward[edges[onward][:, free].sum(axis=1).argmin()]))
            free[path[-1]] = False
            continue
        turns = [at for at, vertex in enumerate(path[:-2]) if edges[end, vertex]]
        if not turns:
            return None
        at = turns[rng.integers(len(turns))]
        path[at + 1 :] = path[:at:-1]
    return None
