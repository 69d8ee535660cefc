"""A colouring to be completed, as a frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from solvers.graph.graph import MAX_VERTICES, Edge, Graph
from solvers.problem_error import ProblemError

#: As many as vertices: more are never needed.
MAX_COLORS = MAX_VERTICES

#: The colour of every vertex.
Coloring = tuple[int, ...]


@dataclass(frozen=True)
class ColoringProblem:
    """Colour a graph so that the ends of every edge differ, some vertices being coloured already.

    Attributes:
        graph: what to colour.
        colors: k; the colours are 0 to k - 1.
        clamps: (vertex, colour) pairs, ascending, each vertex once.
    """

    graph: Graph
    colors: int
    clamps: tuple[tuple[int, int], ...] = ()

    @classmethod
    def create(
        cls, graph: Graph, colors: int, clamps: Iterable[tuple[int, int]] = ()
    ) -> ColoringProblem:
        """Build a problem from plain numbers.

        Raises:
            ProblemError: too many colours or none; a clamp's vertex or colour is out of range, or
                its vertex has a clamp already. The field is ``colors``, ``clamps[i].vertex`` or
                ``clamps[i].color``.
        """
        if not 1 <= colors <= MAX_COLORS:
            raise ProblemError("colors", f"got {colors}, accepted: 1 to {MAX_COLORS}")
        color_of: dict[int, int] = {}
        for index, (vertex, color) in enumerate(clamps):
            field = f"clamps[{index}]"
            if not 0 <= vertex < graph.vertices:
                raise ProblemError(
                    f"{field}.vertex", f"got {vertex}, accepted: 0 to {graph.vertices - 1}"
                )
            if not 0 <= color < colors:
                raise ProblemError(f"{field}.color", f"got {color}, accepted: 0 to {colors - 1}")
            if vertex in color_of:
                raise ProblemError(
                    f"{field}.vertex",
                    f"vertex {vertex} is clamped twice, accepted: one clamp a vertex",
                )
            color_of[vertex] = color
        return cls(graph, colors, tuple(sorted(color_of.items())))

    @cached_property
    def given(self) -> npt.NDArray[np.int64]:
        """The clamped colour of each vertex, -1 where there is none, int64 [n]."""
        given = np.full(self.graph.vertices, -1)
        for vertex, color in self.clamps:
            given[vertex] = color
        return given

    def conflicts(self) -> tuple[Edge, ...]:
        """Edges whose ends are clamped to one colour, ascending."""
        return self._conflicts

    @cached_property
    def _conflicts(self) -> tuple[Edge, ...]:
        clamped = np.flatnonzero(self.given >= 0)
        color = self.given[clamped]
        clash = (color[:, None] == color) & self.graph.adjacency[np.ix_(clamped, clamped)]
        return tuple((a, b) for a, b in clamped[np.argwhere(np.triu(clash))].tolist())
