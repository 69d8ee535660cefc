"""The largest independent set, as an objective."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from solvers.graph.dsatur import clique_cover_size
from solvers.graph.graph import Graph
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.graph.independent_set.residual import Residual


@dataclass(frozen=True)
class LargestSet:
    """See ``solvers.optimise.Objective``.

    Attributes:
        problem: the graph, what is included and excluded; its target size is not looked at.
    """

    problem: IndependentSetProblem

    @cached_property
    def bound(self) -> int:
        """No set is larger: from each clique of a cover at most one vertex is chosen."""
        residual, included = Residual.of(self.problem), len(self.problem.include)
        if not len(residual.vertices):
            return included
        return included + clique_cover_size(Graph.of(residual.adjacency))

    def incumbent(self) -> IndependentSet:
        """A greedy set: what has fewest neighbours left comes next. It may be empty."""
        residual = Residual.of(self.problem)
        edges, open_ = residual.adjacency, np.ones(len(residual.vertices), np.bool_)
        chosen: list[int] = []
        while open_.any():
            degree = np.where(open_, edges[:, open_].sum(axis=1), len(open_))
            vertex = int(degree.argmin())
            chosen.append(vertex)
            open_ &= ~edges[vertex]
            open_[vertex] = False
        return residual.lift(chosen)

    def better_than(self, answer: IndependentSet | None) -> IndependentSetProblem | None:
        """The same graph with one vertex more than the answer."""
        size = 1 + len(answer or ())
        return None if size > self.bound else replace(self.problem, target_size=size)
