"""A simple undirected graph as a frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from solvers.problem_error import ProblemError

#: More would not fit into a canvas; so many vertices have at most 130,816 edges.
MAX_VERTICES = 512

Edge = tuple[int, int]
#: bool [n, n], symmetric, False on the diagonal.
Adjacency = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Graph:
    """Vertices 0 to ``vertices - 1`` and the edges between them.

    Attributes:
        vertices: n, 1 to 512.
        edges: each once, smaller vertex first, ascending.
    """

    vertices: int
    edges: tuple[Edge, ...]

    @classmethod
    def create(cls, vertices: int, edges: Iterable[Edge]) -> Graph:
        """Build a graph from plain numbers.

        Args:
            vertices: how many.
            edges: pairs of vertices, either first.

        Raises:
            ProblemError: there are too many vertices or none; an edge leads out of the graph, to
                its own vertex, or is there twice (also the other way round). The field is
                ``graph.vertices`` or ``graph.edges[index]``.
        """
        if not 1 <= vertices <= MAX_VERTICES:
            raise ProblemError("graph.vertices", f"got {vertices}, accepted: 1 to {MAX_VERTICES}")
        seen: dict[Edge, int] = {}
        for index, (a, b) in enumerate(edges):
            field = f"graph.edges[{index}]"
            for end in (a, b):
                if not 0 <= end < vertices:
                    raise ProblemError(
                        field, f"vertex {end} of edge {a}-{b}, accepted: 0 to {vertices - 1}"
                    )
            if a == b:
                raise ProblemError(field, f"edge {a}-{b} is a self-loop, accepted: two vertices")
            first = seen.setdefault((min(a, b), max(a, b)), index)
            if first != index:
                raise ProblemError(
                    field, f"edge {a}-{b} is also edges[{first}], accepted: each edge once"
                )
        return cls(vertices, tuple(sorted(seen)))

    @classmethod
    def of(cls, adjacency: Adjacency) -> Graph:
        """The graph of a symmetric matrix; the diagonal is not looked at."""
        pairs = np.argwhere(np.triu(adjacency, 1))
        return cls(len(adjacency), tuple((int(a), int(b)) for a, b in pairs))

    @cached_property
    def adjacency(self) -> Adjacency:
        """Bool [n, n], read-only."""
        matrix = np.zeros((self.vertices, self.vertices), np.bool_)
        if self.edges:
            a, b = np.array(self.edges).T
            matrix[a, b] = matrix[b, a] = True
        matrix.flags.writeable = False
        return matrix

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """For each vertex the ones that it shares an edge with, ascending."""
        return tuple(tuple(np.flatnonzero(row).tolist()) for row in self.adjacency)

    @cached_property
    def complement(self) -> Graph:
        """The graph with an edge exactly where this one has none."""
        return Graph.of(~self.adjacency)
