"""How the answer to a problem on a graph is shown to people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from inkfill.v1 import graph_pb2
from rich.text import Text

from solvers.graph.graph import Edge
from solvers.graph.named_graph import NamedGraph
from solvers.graph.picture import Picture

#: Pairs that a line names.
_LISTED = 8


class GraphView(Protocol):
    """Shows responses to one kind of problem, and drafts of them."""

    @property
    def named(self) -> NamedGraph:
        """The graph, and what its vertices are called."""
        ...

    def facts(self, response: Any) -> Sequence[str]:
        """What the headline says of the answer; the caption of its picture, too."""
        ...

    def lines(self, response: Any) -> Iterable[Text]:
        """The answer by the names of its vertices; none where there is not even a draft."""
        ...

    def conflicts(self, response: Any) -> Sequence[Edge]:
        """Pairs of vertices that keep it from being an answer."""
        ...

    def draft(self, draft: graph_pb2.GraphDraft, title: str, width: int, height: int) -> Text:
        """A canvas for a terminal of so many columns and lines."""
        ...

    def picture(self, response: Any, caption: str) -> Picture:
        """The answer as a picture."""
        ...


def joined(named: NamedGraph, vertices: Iterable[int], given: frozenset[int], by: str) -> Text:
    """Names in a line, those that the caller fixed in bold."""
    names = (Text(named.names[v], "bold" if v in given else "") for v in vertices)
    return Text(by).join(names)


def pairs_line(named: NamedGraph, pairs: Sequence[Edge]) -> Text:
    """``conflicts: a-b, c-d``, as many as a line has room for."""
    shown = ", ".join(f"{named.names[a]}-{named.names[b]}" for a, b in pairs[:_LISTED])
    more = f" and {len(pairs) - _LISTED} more" if len(pairs) > _LISTED else ""
    return Text.assemble(("conflicts", "red"), f": {shown}{more}")


def pairs_of(edges: Iterable[graph_pb2.Edge]) -> list[Edge]:
    """The pairs that a message carries."""
    return [(edge.a, edge.b) for edge in edges]
