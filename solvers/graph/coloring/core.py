"""The part of a colouring that takes thought: the rest can always be coloured last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.graph import Graph


@dataclass(frozen=True, eq=False)
class Core:
    """A smaller problem, numbered anew, that has an answer exactly if the whole one has.

    Attributes:
        whole: the problem.
        problem: the smaller one; it may have no vertices.
        vertices: int64 [m], which vertices of the whole it is about, ascending.
        last: the others, in an order in which each sees fewer vertices that stand before it or in
            the core than there are colours.
    """

    whole: ColoringProblem
    problem: ColoringProblem
    vertices: npt.NDArray[np.int64]
    last: tuple[int, ...]

    @classmethod
    def of(cls, whole: ColoringProblem) -> Core:
        """Leave out, one by one, open vertices that have fewer neighbours than there are colours.

        Nothing but clamped vertices and a subgraph of minimum degree ``colors`` or more is left.
        """
        degree = whole.graph.adjacency.sum(1)
        leaving = np.flatnonzero((degree < whole.colors) & (whole.given < 0)).tolist()
        gone = np.zeros(len(degree), np.bool_)
        gone[leaving] = True
        for vertex in leaving:  # grows as it is gone through
            for other in whole.graph.neighbours[vertex]:
                degree[other] -= 1
                if degree[other] < whole.colors and not gone[other] and whole.given[other] < 0:
                    gone[other] = True
                    leaving.append(other)
        vertices = np.flatnonzero(~gone)
        graph = Graph.of(whole.graph.adjacency[np.ix_(vertices, vertices)])
        given = whole.given[vertices]
        clamps = tuple((int(v), int(given[v])) for v in np.flatnonzero(given >= 0))
        problem = ColoringProblem(graph, whole.colors, clamps)
        return cls(whole, problem, vertices, tuple(reversed(leaving)))

    def extend(self, coloring: Coloring) -> Coloring:
        """A colouring of the core -> one of the whole."""
        color_of = np.full(self.whole.graph.vertices, -1)
        color_of[self.vertices] = coloring
        for vertex in self.last:
            taken = set(color_of[list(self.whole.graph.neighbours[vertex])].tolist())
            color_of[vertex] = next(c for c in range(self.whole.colors) if c not in taken)
        return tuple(color_of.tolist())
