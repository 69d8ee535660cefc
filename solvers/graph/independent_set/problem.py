"""An independent set to be found, as a frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from solvers.graph.graph import Edge, Graph
from solvers.problem_error import ProblemError

#: Ascending vertices, no two of them joined by an edge.
IndependentSet = tuple[int, ...]


@dataclass(frozen=True)
class IndependentSetProblem:
    """Choose ``target_size`` vertices or more, no two of them joined by an edge.

    Attributes:
        graph: where to choose.
        target_size: how many at least, 1 to the number of vertices; 0 where any will do.
        include: vertices that must be chosen, ascending.
        exclude: vertices that must not, ascending.
    """

    graph: Graph
    target_size: int
    include: tuple[int, ...] = ()
    exclude: tuple[int, ...] = ()

    @classmethod
    def create(
        cls,
        graph: Graph,
        target_size: int,
        include: Iterable[int] = (),
        exclude: Iterable[int] = (),
    ) -> IndependentSetProblem:
        """Build a problem from plain numbers.

        Raises:
            ProblemError: the size or a vertex is out of range, a vertex is named twice, or is both
                included and excluded. The field is ``target_size``, ``include[i]`` or
                ``exclude[i]``.
        """
        if not 1 <= target_size <= graph.vertices:
            raise ProblemError("target_size", f"got {target_size}, accepted: 1 to {graph.vertices}")
        seen: dict[int, str] = {}
        lists = {"include": tuple(include), "exclude": tuple(exclude)}
        for name, vertices in lists.items():
            for index, vertex in enumerate(vertices):
                field = f"{name}[{index}]"
                if not 0 <= vertex < graph.vertices:
                    raise ProblemError(field, f"got {vertex}, accepted: 0 to {graph.vertices - 1}")
                first = seen.setdefault(vertex, field)
                if first != field:
                    raise ProblemError(
                        field, f"vertex {vertex} is also {first}, accepted: each vertex once"
                    )
        return cls(
            graph, target_size, tuple(sorted(lists["include"])), tuple(sorted(lists["exclude"]))
        )

    def conflicts(self) -> tuple[Edge, ...]:
        """Edges between two included vertices, ascending."""
        return self._conflicts

    @cached_property
    def _conflicts(self) -> tuple[Edge, ...]:
        included = np.array(self.include, np.int64)
        inside = np.triu(self.graph.adjacency[np.ix_(included, included)])
        return tuple((a, b) for a, b in included[np.argwhere(inside)].tolist())
