"""How a Hamiltonian path or cycle is shown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inkfill.v1 import common_pb2, graph_pb2
from rich.text import Text

from service.commands.graph_view import joined, pairs_of
from service.commands.headline import counted
from service.graph_display import GraphDraft, tour_text
from solvers.graph.graph import Edge
from solvers.graph.named_graph import NamedGraph
from solvers.graph.picture import Picture


@dataclass(frozen=True)
class TourView:
    """See ``GraphView``.

    Attributes:
        named: the graph.
        cycle: whether the way leads back to its start.
        places: vertex -> its given place.
    """

    named: NamedGraph
    cycle: bool
    places: Mapping[int, int]

    def facts(self, response: graph_pb2.HamiltonianPathResponse) -> Sequence[str]:
        """What was found; or what is wrong."""
        if response.outcome == common_pb2.UNSATISFIABLE:
            return [
                "clamps clash" if response.conflicts else f"there is no Hamiltonian {self._kind}"
            ]
        if response.outcome == common_pb2.SOLVED:
            return [f"a {self._kind} of {len(response.vertices)} vertices"]
        if not response.vertices:
            return ["no draft"]
        return [f"the best draft has {counted(len(self.conflicts(response)), 'conflict')}"]

    def lines(self, response: graph_pb2.HamiltonianPathResponse) -> Iterator[Text]:
        """The vertices in their order; the first one again where it is a cycle."""
        if response.vertices:
            way = joined(self.named, self._way(response), frozenset(self.places), " → ")
            yield Text.assemble(f"{self._kind}: ", way)

    def conflicts(self, response: graph_pb2.HamiltonianPathResponse) -> Sequence[Edge]:
        """Steps along no edge."""
        if not response.vertices:
            return pairs_of(response.conflicts)
        adjacent = self.named.graph.adjacency
        return [step for step in itertools.pairwise(self._way(response)) if not adjacent[step]]

    def draft(self, draft: graph_pb2.GraphDraft, title: str, width: int, height: int) -> Text:
        """See ``tour_text``."""
        shown = GraphDraft(
            self.named.graph,
            self.named.names,
            draft.values,
            draft.accepted,
            draft.entropy,
            frozenset(self.places),
            title,
        )
        return tour_text(shown, width, height, cycle=self.cycle)

    def picture(self, response: graph_pb2.HamiltonianPathResponse, caption: str) -> Picture:
        """The way as a thick line."""
        return Picture(
            graph=self.named.graph,
            names=self.named.names,
            classes=(None,) * self.named.graph.vertices,
            given=frozenset(self.places),
            path=tuple(response.vertices),
            cycle=self.cycle,
            bad_edges=tuple(self.conflicts(response)),
            caption=caption,
        )

    @property
    def _kind(self) -> str:
        return "cycle" if self.cycle else "path"

    def _way(self, response: graph_pb2.HamiltonianPathResponse) -> Sequence[int]:
        return [*response.vertices, *(response.vertices[:1] if self.cycle else ())]
