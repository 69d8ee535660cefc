"""Whether vertices answer an independent set problem: the word that makes an answer SOLVED.

Plain Python that shares nothing with the model, the engine or the graph's tables: it reads the
edges as they were given.
"""

from __future__ import annotations

from collections.abc import Sequence

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
