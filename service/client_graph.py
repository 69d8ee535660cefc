"""The client's calls of the graph service, for asyncio and without."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import Unpack

from inkfill.v1 import graph_pb2, graph_pb2_grpc

from service.client_calls import answer_of, events_of
from service.client_graph_answers import (
    ChoiceAnswer,
    ColorAnswer,
    Edge,
    GraphDraft,
    PathAnswer,
    choice_answer,
    color_answer,
    graph_event,
    path_answer,
)
from service.client_graph_requests import (
    ChoiceOptions,
    ColorOptions,
    PathOptions,
    choice_request,
    color_request,
    path_request,
)
from service.loop_thread import LoopThread


class GraphCalls:
    """What ``InkfillClient`` can do with graphs.

    Graphs are a number of vertices, 1 to 512, which are numbered from 0, and their edges as pairs,
    each once, either vertex first. Every call takes the options of ``Effort`` by name, as
    ``InkfillClient.solve_sudoku`` does: ``seed``, ``guidance``, ``max_steps``, ``candidates``,
    ``exact_fallback``, or all of them as one ``effort``. Every call raises:

        ProblemError: a number is no whole number from 0, or an edge no pair; nothing has been sent.
        EffortError: a number of the effort is out of range; nothing has been sent.
        InkfillError: the call failed.
    """

    timeout: float | None
    _graph: graph_pb2_grpc.GraphStub

    async def color(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ColorOptions]
    ) -> ColorAnswer:
        """Colour the vertices so that no edge joins two of one colour.

        Args:
            vertices: how many.
            edges: pairs of vertices.
            options: those of every call, and:

                * ``colors``: how many there are, 1 to 512; with ``minimize`` it may be left out.
                * ``clamps``: vertex -> the colour that it has, from 0.
                * ``minimize``: whether to find the least number of colours, within the client's
                  ``timeout``; by default not.
        """
        request = color_request(vertices, edges, **options)
        return color_answer(await answer_of(self._graph.Color(request, timeout=self.timeout)))

    async def stream_color(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ColorOptions]
    ) -> AsyncGenerator[GraphDraft | ColorAnswer, None]:
        """Like ``color``, with its options: the drafts in order, then the answer."""
        request = color_request(vertices, edges, **options)
        call = self._graph.ColorStream(request, timeout=self.timeout)
        async with aclosing(events_of(call)) as events:
            async for event in events:
                yield graph_event(event, color_answer)

    async def independent_set(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ChoiceOptions]
    ) -> ChoiceAnswer:
        """Choose vertices so that no edge joins two of them.

        Args:
            vertices: how many.
            edges: pairs of vertices.
            options: those of every call, and:

                * ``include``: vertices that must be chosen.
                * ``exclude``: vertices that must not.
                * ``target_size``: how many at least, from 1; by default as many as there can be,
                  within the client's ``timeout``.
        """
        request = choice_request(graph_pb2.IndependentSetRequest, vertices, edges, **options)
        call = self._graph.IndependentSet(request, timeout=self.timeout)
        return choice_answer(await answer_of(call))

    async def stream_independent_set(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ChoiceOptions]
    ) -> AsyncGenerator[GraphDraft | ChoiceAnswer, None]:
        """Like ``independent_set``, with its options: the drafts in order, then the answer."""
        request = choice_request(graph_pb2.IndependentSetRequest, vertices, edges, **options)
        call = self._graph.IndependentSetStream(request, timeout=self.timeout)
        async with aclosing(events_of(call)) as events:
            async for event in events:
                yield graph_event(event, choice_answer)

    async def clique(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ChoiceOptions]
    ) -> ChoiceAnswer:
        """Choose vertices that all share edges, with the options of ``independent_set``."""
        request = choice_request(graph_pb2.CliqueRequest, vertices, edges, **options)
        return choice_answer(await answer_of(self._graph.Clique(request, timeout=self.timeout)))

    async def vertex_cover(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ChoiceOptions]
    ) -> ChoiceAnswer:
        """Choose vertices so that every edge has an end among them.

        The options are those of ``independent_set``, but for ``target_size``: how many at most,
        from 0; by default as few as there can be.
        """
        request = choice_request(graph_pb2.VertexCoverRequest, vertices, edges, **options)
        call = self._graph.VertexCover(request, timeout=self.timeout)
        return choice_answer(await answer_of(call))

    async def hamiltonian_path(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[PathOptions]
    ) -> PathAnswer:
        """Visit every vertex once, along edges.

        Args:
            vertices: how many.
            edges: pairs of vertices.
            options: those of every call, and:

                * ``cycle``: whether an edge must lead from the last vertex back to the first; by
                  default not.
                * ``start``, ``end``: the first vertex, and the last; by default any.
                * ``clamps``: further vertices -> their places, from 0.
        """
        request = path_request(vertices, edges, **options)
        call = self._graph.HamiltonianPath(request, timeout=self.timeout)
        return path_answer(await answer_of(call))

    async def stream_hamiltonian_path(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[PathOptions]
    ) -> AsyncGenerator[GraphDraft | PathAnswer, None]:
        """Like ``hamiltonian_path``, with its options: the drafts in order, then the answer."""
        request = path_request(vertices, edges, **options)
        call = self._graph.HamiltonianPathStream(request, timeout=self.timeout)
        async with aclosing(events_of(call)) as events:
            async for event in events:
                yield graph_event(event, path_answer)


class SyncGraphCalls:
    """What ``SyncInkfillClient`` can do with graphs: ``GraphCalls`` without an event loop."""

    _loop: LoopThread
    _client: GraphCalls

    def color(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ColorOptions]
    ) -> ColorAnswer:
        """See ``GraphCalls.color``."""
        return self._loop.call(self._client.color(vertices, edges, **options))

    def stream_color(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ColorOptions]
    ) -> Iterator[GraphDraft | ColorAnswer]:
        """See ``GraphCalls.stream_color``."""
        return self._loop.iterate(self._client.stream_color(vertices, edges, **options))

    def independent_set(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ChoiceOptions]
    ) -> ChoiceAnswer:
        """See ``GraphCalls.independent_set``."""
        return self._loop.call(self._client.independent_set(vertices, edges, **options))

    def stream_independent_set(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ChoiceOptions]
    ) -> Iterator[GraphDraft | ChoiceAnswer]:
        """See ``GraphCalls.stream_independent_set``."""
        return self._loop.iterate(self._client.stream_independent_set(vertices, edges, **options))

    def clique(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ChoiceOptions]
    ) -> ChoiceAnswer:
        """See ``GraphCalls.clique``."""
        return self._loop.call(self._client.clique(vertices, edges, **options))

    def vertex_cover(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[ChoiceOptions]
    ) -> ChoiceAnswer:
        """See ``GraphCalls.vertex_cover``."""
        return self._loop.call(self._client.vertex_cover(vertices, edges, **options))

    def hamiltonian_path(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[PathOptions]
    ) -> PathAnswer:
        """See ``GraphCalls.hamiltonian_path``."""
        return self._loop.call(self._client.hamiltonian_path(vertices, edges, **options))

    def stream_hamiltonian_path(
        self, vertices: int, edges: Iterable[Edge], **options: Unpack[PathOptions]
    ) -> Iterator[GraphDraft | PathAnswer]:
        """See ``GraphCalls.stream_hamiltonian_path``."""
        return self._loop.iterate(self._client.stream_hamiltonian_path(vertices, edges, **options))
