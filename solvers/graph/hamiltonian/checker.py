"""Whether an order of vertices answers a Hamiltonian problem: the word that makes it SOLVED.

Plain Python that shares nothing with the model, the engine or the graph's tables: it reads the
edges as they were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from solvers.graph.hamiltonian.problem import HamiltonianProblem


def is_tour(problem: HamiltonianProblem, tour: Sequence[object]) -> bool:
    """Whether ``tour`` visits every vertex once along edges, clamped ones at their positions.

    A cycle needs an edge from the last vertex to the first, and so at least three vertices.
    Anything else is no tour, whatever it holds: wrong lengths, vertices out of range, values that
    are not plain integers.
    """
    n = problem.graph.vertices
    if len(tour) != n or any(type(vertex) is not int for vertex in tour):
        return False
    if set(tour) != set(range(n)):
        return False
    if any(tour[position] != vertex for vertex, position in problem.clamps):
        return False
    edges = set(problem.graph.edges) | {(b, a) for a, b in problem.graph.edges}
    if any(step not in edges for step in pairwise(tour)):
        return False
    return not problem.cycle or (n > 2 and (tour[-1], tour[0]) in edges)
