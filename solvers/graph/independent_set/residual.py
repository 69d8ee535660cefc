"""What is left to choose once included vertices are in and excluded ones are out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvers.graph.graph import Adjacency
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem


@dataclass(frozen=True, eq=False)
class Residual:
    """A smaller graph without conditions, numbered anew.

    Attributes:
        vertices: int64 [m], the open vertices of the problem, ascending.
        adjacency: bool [m, m], the edges between them.
        include: vertices that are chosen already.
    """

    vertices: npt.NDArray[np.int64]
    adjacency: Adjacency
    include: IndependentSet

    @classmethod
    def of(cls, problem: IndependentSetProblem) -> Residual:
        """Leave out what is included, its neighbours, and what is excluded.

        The problem has no conflicts.
        """
        matrix = problem.graph.adjacency
        include = list(problem.include)
        closed = np.any(matrix[include], axis=0)
        closed[include] = closed[list(problem.exclude)] = True
        vertices = np.flatnonzero(~closed)
        return cls(vertices, matrix[np.ix_(vertices, vertices)], problem.include)

    def lift(self, chosen: Iterable[int]) -> IndependentSet:
        """Numbers of the smaller graph -> vertices of the problem, with those included."""
        return tuple(sorted([*self.include, *self.vertices[list(chosen)].tolist()]))

    def lower(self, chosen: Iterable[int]) -> list[int]:
        """Vertices of the problem -> numbers of the smaller graph; those that are closed go."""
        return np.flatnonzero(np.isin(self.vertices, list(chosen))).tolist()
