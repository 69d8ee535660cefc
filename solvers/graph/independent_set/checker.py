"""Whether vertices are an independent set, a clique, a cover: the word that makes them SOLVED.

Plain Python that shares nothing with the model, the engine or the graph's tables: it reads the
edges as they were given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from solvers.graph.graph import Edge
from solvers.graph.independent_set.problem import IndependentSetProblem


def is_independent_set(problem: IndependentSetProblem, vertices: Sequence[object]) -> bool:
    """Whether ``vertices`` is large enough, holds what must be in and nothing that must not.

    Their order does not matter. Anything else is no independent set, whatever it holds: a vertex
    named twice or out of range, two that share an edge, values that are not plain integers.
    """
    if any(type(vertex) is not int for vertex in vertices):
        return False
    chosen = set(vertices)
    if len(chosen) != len(vertices) or len(chosen) < problem.target_size:
        return False
    if not chosen <= set(range(problem.graph.vertices)):
        return False
    if not chosen.issuperset(problem.include) or not chosen.isdisjoint(problem.exclude):
        return False
    return not any(a in chosen and b in chosen for a, b in problem.graph.edges)


def is_clique(edges: Iterable[Edge], vertices: Sequence[int]) -> bool:
    """Whether all of ``vertices``, each named once, share edges with each other.

    Args:
        edges: of the graph in which the clique was asked for, either end first.
        vertices: what was found.
    """
    chosen, met = set(vertices), set()
    for a, b in edges:
        if a in chosen and b in chosen:
            met.add((min(a, b), max(a, b)))
    return len(chosen) == len(vertices) and len(met) == len(chosen) * (len(chosen) - 1) // 2


def is_vertex_cover(edges: Iterable[Edge], vertices: Sequence[int]) -> bool:
    """Whether every edge has an end among ``vertices``, each named once."""
    chosen = set(vertices)
    return len(chosen) == len(vertices) and all(a in chosen or b in chosen for a, b in edges)
