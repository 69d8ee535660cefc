"""How an independent set, a clique or a vertex cover is shown."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inkfill.v1 import common_pb2, graph_pb2
from rich.text import Text

from service.commands.graph_view import joined, pairs_of
from service.commands.headline import counted
from service.graph_display import GraphDraft, independent_set_text
from solvers.graph.graph import Edge
from solvers.graph.named_graph import NamedGraph
from solvers.graph.picture import Picture

Response = (
    graph_pb2.IndependentSetResponse | graph_pb2.CliqueResponse | graph_pb2.VertexCoverResponse
)


class Kind(enum.Enum):
    """What the chosen vertices are to be."""

    INDEPENDENT_SET = "independent set"
    CLIQUE = "clique"
    VERTEX_COVER = "vertex cover"


@dataclass(frozen=True)
class ChoiceView:
    """See ``GraphView``.

    Attributes:
        named: the graph.
        kind: what was asked for.
        size: how many were asked for; None for the best there is.
        include: vertices that must be chosen.
        exclude: vertices that must not.
    """

    named: NamedGraph
    kind: Kind
    size: int | None
    include: tuple[int, ...]
    exclude: tuple[int, ...]

    def facts(self, response: Response) -> Sequence[str]:
        """How many are chosen and what is proved; or what is wrong."""
        if response.outcome == common_pb2.UNSATISFIABLE:
            return [self._why_not(response)]
        if response.outcome == common_pb2.UNDECIDED:
            return [*self._draft_has(response), *self._bound(response)]
        return [f"{len(response.vertices)} chosen", *self._bound(response)]

    def lines(self, response: Response) -> Iterator[Text]:
        """The chosen vertices."""
        if response.vertices or response.outcome == common_pb2.SOLVED:
            names = joined(self.named, response.vertices, self._given, ", ")
            yield Text.assemble(f"{self.kind.value}: ", names if response.vertices else "empty")

    def conflicts(self, response: Response) -> Sequence[Edge]:
        """Pairs that must not be chosen both, or of which one must."""
        if not response.vertices and response.outcome != common_pb2.SOLVED:
            return pairs_of(response.conflicts)
        edges, chosen = self.named.graph.edges, set(response.vertices)
        if self.kind is Kind.VERTEX_COVER:
            return [(a, b) for a, b in edges if a not in chosen and b not in chosen]
        if self.kind is Kind.INDEPENDENT_SET:
            return [(a, b) for a, b in edges if a in chosen and b in chosen]
        adjacent = self.named.graph.adjacency
        pairs = itertools.combinations(sorted(chosen), 2)
        return [(a, b) for a, b in pairs if not adjacent[a, b]]

    def draft(self, draft: graph_pb2.GraphDraft, title: str, width: int, height: int) -> Text:
        """See ``independent_set_text``."""
        shown = GraphDraft(
            self.named.graph,
            self.named.names,
            draft.values,
            draft.accepted,
            draft.entropy,
            self._given,
            f"{draft.goal} wanted, {title}",
        )
        return independent_set_text(shown, width, height)

    def picture(self, response: Response, caption: str) -> Picture:
        """The chosen vertices in colour; those that are included where there are no others."""
        chosen = set(response.vertices or self.include)
        return Picture(
            graph=self.named.graph,
            names=self.named.names,
            classes=tuple(0 if v in chosen else None for v in range(self.named.graph.vertices)),
            given=self._given,
            bad_edges=tuple(self.conflicts(response)),
            caption=caption,
        )

    @property
    def _given(self) -> frozenset[int]:
        return frozenset(self.include + self.exclude)

    def _bound(self, response: Response) -> Iterator[str]:
        cover = isinstance(response, graph_pb2.VertexCoverResponse)
        if response.proved_optimal:
            yield "proved the fewest" if cover else "proved the most"
        elif isinstance(response, graph_pb2.VertexCoverResponse):
            if response.HasField("lower_bound"):
                yield f"at least {response.lower_bound} needed"
        elif response.HasField("upper_bound"):
            yield f"at most {response.upper_bound} possible"

    def _why_not(self, response: Response) -> str:
        cover = self.kind is Kind.VERTEX_COVER
        if response.conflicts:
            return f"{'excluded' if cover else 'included'} vertices clash"
        if self.size is None:
            return f"no {self.kind.value} within these conditions"
        return f"no {self.kind.value} of {self.size} or {'fewer' if cover else 'more'}"

    def _draft_has(self, response: Response) -> Iterator[str]:
        if not response.vertices:
            yield "no draft"
            return
        conflicts = counted(len(self.conflicts(response)), "conflict")
        yield f"the best draft chooses {len(response.vertices)} and has {conflicts}"
