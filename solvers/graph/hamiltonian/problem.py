"""A Hamiltonian path or cycle to be found, as a frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from solvers.graph.graph import Edge, Graph
from solvers.problem_error import ProblemError

#: Every vertex once, in the order in which they are visited.
Tour = tuple[int, ...]


@dataclass(frozen=True)
class HamiltonianProblem:
    """Visit every vertex of a graph once along its edges, some places being fixed already.

    Attributes:
        graph: where to go.
        cycle: whether an edge must lead from the last vertex back to the first.
        clamps: (vertex, position) pairs, ascending; positions are 0 to n - 1. Each vertex and each
            position at most once.
    """

    graph: Graph
    cycle: bool = False
    clamps: tuple[tuple[int, int], ...] = ()

    @classmethod
    def create(
        cls,
        graph: Graph,
        *,
        cycle: bool = False,
        start: int | None = None,
        end: int | None = None,
        clamps: Iterable[tuple[int, int]] = (),
    ) -> HamiltonianProblem:
        """Build a problem from plain numbers.

        Args:
            graph: where to go.
            cycle: see the attribute.
            start: the vertex at position 0; None leaves it open.
            end: the vertex at position n - 1; None leaves it open.
            clamps: further (vertex, position) pairs.

        Raises:
            ProblemError: a vertex or a position is out of range or taken twice. The field is
                ``start``, ``end``, ``clamps[i].vertex`` or ``clamps[i].position``.
        """
        last = graph.vertices - 1
        given = [("start", start, 0, "start"), ("end", end, last, "end")]
        given += [
            (f"clamps[{i}].vertex", vertex, position, f"clamps[{i}].position")
            for i, (vertex, position) in enumerate(clamps)
        ]
        position_of: dict[int, int] = {}
        vertex_at: dict[int, int] = {}
        for vertex_field, vertex, position, position_field in given:
            if vertex is None:
                continue
            for field, value in ((vertex_field, vertex), (position_field, position)):
                if not 0 <= value <= last:
                    raise ProblemError(field, f"got {value}, accepted: 0 to {last}")
            if last == 0 and vertex_field == "end" and vertex == start:
                continue  # a single vertex is both ends
            if vertex in position_of:
                raise ProblemError(
                    vertex_field,
                    f"vertex {vertex} is also at position {position_of[vertex]}, accepted: one "
                    "position a vertex",
                )
            if position in vertex_at:
                raise ProblemError(
                    position_field,
                    f"position {position} is also that of vertex {vertex_at[position]}, accepted: "
                    "one vertex a position",
                )
            position_of[vertex], vertex_at[position] = position, vertex
        return cls(graph, cycle, tuple(sorted(position_of.items())))

    def conflicts(self) -> tuple[Edge, ...]:
        """Pairs clamped to successive positions that share no edge, ascending."""
        n = self.graph.vertices
        vertex_at = {position: vertex for vertex, position in self.clamps}
        found = set()
        for position, vertex in vertex_at.items():
            if position == n - 1 and not self.cycle:
                continue
            following = vertex_at.get((position + 1) % n)
            if following not in (None, vertex) and not self.graph.adjacency[vertex, following]:
                found.add((min(vertex, following), max(vertex, following)))
        return tuple(sorted(found))
