"""A graph whose vertices have the names that a file gave them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from solvers.graph.graph import Edge, Graph
from solvers.problem_error import ProblemError

#: Characters.
MAX_NAME = 80
#: How many names an error lists.
_LISTED = 6


@dataclass(frozen=True)
class NamedGraph:
    """A graph, and what to call its vertices.

    Attributes:
        graph: the graph.
        names: of each vertex, all different.
    """

    graph: Graph
    names: tuple[str, ...]

    @classmethod
    def merged(cls, names: Sequence[str], edges: Iterable[Edge]) -> NamedGraph:
        """Build a graph from edges that may be there more than once, in either direction.

        Raises:
            ProblemError: see ``Graph.create``.
        """
        once = {(a, b) if a < b else (b, a) for a, b in edges}
        return cls(Graph.create(len(names), sorted(once)), tuple(names))

    def vertex(self, name: str, field: str = "vertex") -> int:
        """The vertex of that name.

        Args:
            name: as the file has it.
            field: what an error is about.

        Raises:
            ProblemError: there is none.
        """
        found = self._vertex_of.get(name.strip())
        if found is None:
            raise ProblemError(field, f"no vertex is named {name!r}, accepted: {self._accepted}")
        return found

    @cached_property
    def _vertex_of(self) -> dict[str, int]:
        return {name: vertex for vertex, name in enumerate(self.names)}

    @property
    def _accepted(self) -> str:
        if self.names == numbered(len(self.names)):
            return f"1 to {len(self.names)}"
        if len(self.names) <= _LISTED:
            return ", ".join(self.names)
        first = ", ".join(self.names[: _LISTED - 1])
        return f"{first}, ..., {self.names[-1]} ({len(self.names)} names)"


def numbered(vertices: int) -> tuple[str, ...]:
    """Names ``1`` to ``vertices``."""
    return tuple(str(number) for number in range(1, vertices + 1))


def is_name(text: str) -> bool:
    """Whether a vertex can be called so: it is shown in terminals and in pictures."""
    return 1 <= len(text) <= MAX_NAME and text.isprintable() and not text.isspace()
