"""Whether colours answer a colouring: the word that makes an answer SOLVED.

Plain Python that shares nothing with the model, the engine or the graph's tables: it reads the
edges as they were given.
"""

from __future__ import annotations

from collections.abc import Sequence

from solvers.graph.coloring.problem import ColoringProblem


def is_coloring(problem: ColoringProblem, colors: Sequence[object]) -> bool:
    """Whether ``colors``, one a vertex, keeps every clamp and differs along every edge.

    Anything else is no colouring, whatever it holds: wrong lengths, colours out of range, values
    that are not plain integers.
    """
    if len(colors) != problem.graph.vertices:
        return False
    if any(type(color) is not int for color in colors):
        return False
    if not all(0 <= color < problem.colors for color in colors):  # type: ignore[operator]
        return False
    if any(colors[vertex] != color for vertex, color in problem.clamps):
        return False
    return all(colors[a] != colors[b] for a, b in problem.graph.edges)
