"""Problems on graphs over gRPC: messages into problems, solutions into messages.

What may take long at the limits of a graph is done in threads, so that other calls go on.
"""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import grpc
from inkfill.v1 import common_pb2, graph_pb2, graph_pb2_grpc

from engine.client import EngineClient
from service.errors import WireError
from service.messages import effort_from
from service.servicers.graph_call import (
    COLORING,
    HAMILTONIAN,
    INDEPENDENT_SET,
    GraphCall,
    GraphTask,
    Show,
)
from service.servicers.graph_requests import (
    clique_from,
    coloring_from,
    independent_set_from,
    path_from,
    vertex_cover_from,
)
from service.servicers.graph_responses import (
    Choice,
    clique_response,
    color_response,
    fewest_response,
    independent_set_response,
    largest,
    path_response,
    vertex_cover_response,
)
from service.streams import Final, drafts_of
from solvers.graph.coloring.fewest import FewestColors
from solvers.graph.coloring.problem import Coloring
from solvers.graph.independent_set.largest import LargestSet
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.search_pool import SearchPool

Context = grpc.aio.ServicerContext[Any, Any]
P = TypeVar("P")
A = TypeVar("A")


class GraphServicer(graph_pb2_grpc.GraphServicer):
    """Serves ``inkfill.v1.Graph``.

    Attributes:
        engine: where canvases are denoised.
        models: task -> name of a loaded model for it; tasks may be missing.
        searches: where exact completion and proofs run.
    """

    def __init__(
        self, engine: EngineClient, models: Mapping[str, str], searches: SearchPool
    ) -> None:
        self.engine = engine
        self.models = models
        self.searches = searches

    async def Color(  # noqa: N802  # gRPC's name
        self, request: graph_pb2.ColorRequest, context: Context
    ) -> graph_pb2.ColorResponse:
        """See graph.proto."""
        return await self._color(request, context)

    async def ColorStream(  # noqa: N802
        self, request: graph_pb2.ColorRequest, context: Context
    ) -> AsyncIterator[graph_pb2.ColorEvent]:
        """See graph.proto."""
        async with aclosing(drafts_of(partial(self._color, request, context))) as events:
            async for event in events:
                if isinstance(event, Final):
                    yield graph_pb2.ColorEvent(response=event.value)
                else:
                    yield graph_pb2.ColorEvent(draft=event)

    async def IndependentSet(  # noqa: N802
        self, request: graph_pb2.IndependentSetRequest, context: Context
    ) -> graph_pb2.IndependentSetResponse:
        """See graph.proto."""
        return await self._independent_set(request, context)

    async def IndependentSetStream(  # noqa: N802
        self, request: graph_pb2.IndependentSetRequest, context: Context
    ) -> AsyncIterator[graph_pb2.IndependentSetEvent]:
        """See graph.proto."""
        async with aclosing(drafts_of(partial(self._independent_set, request, context))) as events:
            async for event in events:
                if isinstance(event, Final):
                    yield graph_pb2.IndependentSetEvent(response=event.value)
                else:
                    yield graph_pb2.IndependentSetEvent(draft=event)

    async def Clique(  # noqa: N802
        self, request: graph_pb2.CliqueRequest, context: Context
    ) -> graph_pb2.CliqueResponse:
        """See graph.proto."""
        call = self._call(INDEPENDENT_SET, request.effort, context)
        problem = await to_thread(clique_from, request)
        choice = await _choose(call, problem, request.HasField("target_size"))
        return await to_thread(clique_response, request, choice)

    async def VertexCover(  # noqa: N802
        self, request: graph_pb2.VertexCoverRequest, context: Context
    ) -> graph_pb2.VertexCoverResponse:
        """See graph.proto."""
        call = self._call(INDEPENDENT_SET, request.effort, context)
        problem = await to_thread(vertex_cover_from, request)
        choice = await _choose(call, problem, request.HasField("target_size"))
        return await to_thread(vertex_cover_response, request, choice)

    async def HamiltonianPath(  # noqa: N802
        self, request: graph_pb2.HamiltonianPathRequest, context: Context
    ) -> graph_pb2.HamiltonianPathResponse:
        """See graph.proto."""
        return await self._path(request, context)

    async def HamiltonianPathStream(  # noqa: N802
        self, request: graph_pb2.HamiltonianPathRequest, context: Context
    ) -> AsyncIterator[graph_pb2.HamiltonianPathEvent]:
        """See graph.proto."""
        async with aclosing(drafts_of(partial(self._path, request, context))) as events:
            async for event in events:
                if isinstance(event, Final):
                    yield graph_pb2.HamiltonianPathEvent(response=event.value)
                else:
                    yield graph_pb2.HamiltonianPathEvent(draft=event)

    async def _color(
        self, request: graph_pb2.ColorRequest, context: Context, show: Show | None = None
    ) -> graph_pb2.ColorResponse:
        call = self._call(COLORING, request.effort, context, show)
        problem = await to_thread(coloring_from, request)
        if not request.minimize or problem.conflicts():
            return await to_thread(color_response, problem, await call.solve(problem))
        objective = FewestColors(problem)
        incumbent = await to_thread(_greedy_coloring, objective)
        return fewest_response(objective, await call.optimise(objective, incumbent))

    async def _independent_set(
        self, request: graph_pb2.IndependentSetRequest, context: Context, show: Show | None = None
    ) -> graph_pb2.IndependentSetResponse:
        call = self._call(INDEPENDENT_SET, request.effort, context, show)
        problem = await to_thread(independent_set_from, request)
        choice = await _choose(call, problem, request.HasField("target_size"))
        return await to_thread(independent_set_response, choice)

    async def _path(
        self, request: graph_pb2.HamiltonianPathRequest, context: Context, show: Show | None = None
    ) -> graph_pb2.HamiltonianPathResponse:
        call = self._call(HAMILTONIAN, request.effort, context, show)
        problem = await to_thread(path_from, request)
        return path_response(problem, await call.solve(problem))

    def _call(
        self,
        task: GraphTask[P, A],
        effort: common_pb2.Effort,
        context: Context,
        show: Show | None = None,
    ) -> GraphCall[P, A]:
        """A call of a method that needs a model for ``task``.

        Raises:
            WireError: UNIMPLEMENTED, there is none; or the effort's guidance is unknown.
            EffortError: a number of the effort is out of range.
        """
        model = self.models.get(task.name)
        if model is None:
            raise WireError(
                grpc.StatusCode.UNIMPLEMENTED,
                f"no model for the task {task.name!r} is loaded, which this method needs; start "
                "the server with one: inkfill serve --model FOLDER",
            )
        return GraphCall(
            task=task,
            engine=self.engine,
            model=model,
            searches=self.searches,
            effort=effort_from(effort),
            context=context,
            show=show,
        )


async def _choose(
    call: GraphCall[IndependentSetProblem, IndependentSet],
    problem: IndependentSetProblem,
    has_target: bool,
) -> Choice:
    """A set of the target size, or the largest where the caller named none."""
    if has_target or problem.conflicts():
        return Choice(problem, await call.solve(problem))
    objective = LargestSet(problem)
    incumbent = await to_thread(_greedy_set, objective)
    return largest(objective, await call.optimise(objective, incumbent))


def _greedy_coloring(objective: FewestColors) -> Coloring | None:
    """An answer to begin with, if a greedy search has one; the bound is made beside it."""
    _ = objective.bound
    incumbent = objective.incumbent()
    if incumbent is None or not COLORING.solver.check(objective.problem, incumbent):
        return None
    return incumbent


def _greedy_set(objective: LargestSet) -> IndependentSet | None:
    """The like of a set; it is empty where every vertex is excluded."""
    _ = objective.bound
    incumbent = objective.incumbent()
    problem = replace(objective.problem, target_size=len(incumbent))
    return incumbent if INDEPENDENT_SET.solver.check(problem, incumbent) else None
