"""How a colouring is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inkfill.v1 import common_pb2, graph_pb2
from rich.style import Style
from rich.text import Text

from service.commands.graph_view import joined, pairs_of
from service.commands.headline import counted
from service.graph_display import GraphDraft, coloring_text
from solvers.graph.graph import Edge
from solvers.graph.named_graph import NamedGraph
from solvers.graph.palette import color_of, ink_on
from solvers.graph.picture import Picture


@dataclass(frozen=True)
class ColoringView:
    """See ``GraphView``.

    Attributes:
        named: the graph.
        colors: how many are allowed.
        clamps: vertex -> its given colour.
    """

    named: NamedGraph
    colors: int
    clamps: Mapping[int, int]

    def facts(self, response: graph_pb2.ColorResponse) -> Sequence[str]:
        """Colours used and what is proved; or what is wrong."""
        if response.outcome == common_pb2.UNSATISFIABLE:
            return [self._why_not(response)]
        if response.outcome == common_pb2.UNDECIDED:
            return [self._draft_has(response), *self._bound(response)]
        return [f"{counted(response.colors_used, 'colour')} used", *self._bound(response)]

    def lines(self, response: graph_pb2.ColorResponse) -> Iterator[Text]:
        """Each colour with its vertices."""
        for color in sorted(set(response.vertex_colors)):
            style = Style(color=ink_on(color_of(color)), bgcolor=color_of(color))
            members = (v for v, own in enumerate(response.vertex_colors) if own == color)
            names = joined(self.named, members, frozenset(self.clamps), ", ")
            yield Text.assemble((f"colour {color}", style), ": ", names)

    def conflicts(self, response: graph_pb2.ColorResponse) -> Sequence[Edge]:
        """Edges whose ends have one colour."""
        colors = response.vertex_colors
        if not colors:
            return pairs_of(response.conflicts)
        return [(a, b) for a, b in self.named.graph.edges if colors[a] == colors[b]]

    def draft(self, draft: graph_pb2.GraphDraft, title: str, width: int, height: int) -> Text:
        """See ``coloring_text``."""
        shown = GraphDraft(
            self.named.graph,
            self.named.names,
            draft.values,
            draft.accepted,
            draft.entropy,
            frozenset(self.clamps),
            f"{counted(draft.goal, 'colour')}, {title}",
        )
        return coloring_text(shown, width, height)

    def picture(self, response: graph_pb2.ColorResponse, caption: str) -> Picture:
        """Vertices in their colours; those that are given where there are no others."""
        given = tuple(self.clamps.get(v) for v in range(self.named.graph.vertices))
        return Picture(
            graph=self.named.graph,
            names=self.named.names,
            classes=tuple(response.vertex_colors) or given,
            given=frozenset(self.clamps),
            bad_edges=tuple(self.conflicts(response)),
            caption=caption,
        )

    def _bound(self, response: graph_pb2.ColorResponse) -> Iterator[str]:
        if response.proved_optimal:
            yield "proved the least"
        elif response.HasField("lower_bound"):
            yield f"at least {response.lower_bound} needed"

    def _why_not(self, response: graph_pb2.ColorResponse) -> str:
        if response.conflicts:
            return "clamps clash"
        return f"{counted(self.colors, 'colour')} cannot be enough"

    def _draft_has(self, response: graph_pb2.ColorResponse) -> str:
        if not response.vertex_colors:
            return "no draft"
        return f"the best draft has {counted(len(self.conflicts(response)), 'conflict')}"
