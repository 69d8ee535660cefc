"""The least number of colours, as an objective."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from solvers.graph.cliques import large_clique
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.dsatur import greedy_coloring


@dataclass(frozen=True)
class FewestColors:
    """See ``solvers.optimise.Objective``.

    Attributes:
        problem: the graph, its clamps, and how many colours are allowed.
    """

    problem: ColoringProblem

    @cached_property
    def bound(self) -> int:
        """Fewer colours do not suffice: a clique needs one a vertex, a clamp its own."""
        clamped = max((color + 1 for _, color in self.problem.clamps), default=1)
        return max(clamped, len(large_clique(self.problem.graph)))

    def incumbent(self) -> Coloring | None:
        """A greedy colouring within the colours allowed; the problem has no conflicts."""
        problem = self.problem
        found = greedy_coloring(problem.graph, problem.clamps, problem.colors)
        return None if found is None else compact(problem, found)

    def better_than(self, answer: Coloring | None) -> ColoringProblem | None:
        """The same graph with one colour less than the answer needs."""
        if answer is None:
            return None if self.problem.colors < self.bound else self.problem
        colors = max(compact(self.problem, answer))
        return None if colors < self.bound else replace(self.problem, colors=colors)


def compact(problem: ColoringProblem, coloring: Coloring) -> Coloring:
    """Rename colours that no clamp names so that the highest is as low as can be."""
    clamped = {color for _, color in problem.clamps}
    renamed = sorted(set(coloring) - clamped)
    low = (color for color in range(problem.colors) if color not in clamped)
    name = dict(zip(renamed, low, strict=False)) | {color: color for color in clamped}
    return tuple(name[color] for color in coloring)
