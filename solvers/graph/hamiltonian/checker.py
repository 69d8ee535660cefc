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
    steps = set(pairwise(tour))
    if problem.cycle:
        steps.add((tour[-1], tour[0]))
    taken = sum((a, b) in steps or (b, a) in steps for a, b in problem.graph.edges)
    return taken == len(steps) and (n > 2 or not problem.cycle)
