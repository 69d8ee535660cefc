"""Canvases over gRPC: any model that needs no relations between positions."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

import grpc
from inkfill.v1 import canvas_pb2, canvas_pb2_grpc

from engine.canvas import CanvasRequest, CanvasResult, Draft
from engine.client import EngineClient, ModelInfo, OnDraft, UnknownModelError
from service.errors import invalid_argument, model_resource, named_by, shorten
from service.messages import report_to
from service.servicers.canvas_request import canvas_request, request_path
from service.servicers.graph_call import GRAPH_TASKS
from service.streams import Final, drafts_of
from solvers.base import Method, Report

Context = grpc.aio.ServicerContext[Any, Any]

#: Tasks whose models need relations that only a solver lays out, and who offers it.
_SOLVER_SERVICES = {
    "sudoku": "inkfill.v1.Sudoku",
    **dict.fromkeys(GRAPH_TASKS, "inkfill.v1.Graph"),
}


class CanvasServicer(canvas_pb2_grpc.CanvasServicer):
    """Serves ``inkfill.v1.Canvas``."""

    def __init__(self, engine: EngineClient) -> None:
        self._engine = engine

    async def Denoise(  # noqa: N802  # gRPC's name
        self,
        request: canvas_pb2.DenoiseRequest,
        context: Context,  # noqa: ARG002
    ) -> canvas_pb2.DenoiseResponse:
        """See canvas.proto."""
        return await self._answer(request)

    async def DenoiseStream(  # noqa: N802
        self,
        request: canvas_pb2.DenoiseRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[canvas_pb2.DenoiseEvent]:
        """See canvas.proto."""
        async with aclosing(drafts_of(partial(self._answer, request))) as events:
            async for event in events:
                yield _event(event)

    async def _answer(
        self, request: canvas_pb2.DenoiseRequest, on_draft: OnDraft | None = None
    ) -> canvas_pb2.DenoiseResponse:
        info = self._model(request.model)
        with named_by(request_path):
            canvas = canvas_request(request, info)
            if not request.sampling.HasField("seed"):
                canvas = replace(canvas, seed=secrets.randbits(62))
            result = await self._engine.denoise(info.name, canvas, on_draft)
        return _response(info, canvas, result)

    def _model(self, name: str) -> ModelInfo:
        """The model, if it denoises by itself.

        Raises:
            WireError: INVALID_ARGUMENT on ``model``.
        """
        try:
            info = self._engine.model(name)
        except UnknownModelError:
            raise invalid_argument(
                "model", f"got {shorten(name)!r}, {self._accepted()}", model_resource(name)
            ) from None
        if info.task in _SOLVER_SERVICES:
            raise invalid_argument(
                "model",
                f"{info.name!r} is a model for {info.task} and needs the relations of its cells, "
                f"which Canvas does not carry; use {_SOLVER_SERVICES[info.task]}",
            )
        return info

    def _accepted(self) -> str:
        """The models that denoise by themselves, or how to load one."""
        names = [i.name for i in self._engine.models() if i.task not in _SOLVER_SERVICES]
        if names:
            return f"accepted: {', '.join(names)}"
        return (
            "but no model is loaded that Canvas can serve; start the server with a text "
            "checkpoint: inkfill serve --model FOLDER"
        )


def _event(event: Draft | Final[canvas_pb2.DenoiseResponse]) -> canvas_pb2.DenoiseEvent:
    if isinstance(event, Final):
        return canvas_pb2.DenoiseEvent(response=event.value)
    return canvas_pb2.DenoiseEvent(
        draft=canvas_pb2.DenoiseDraft(
            step=event.step,
            tokens=event.tokens.tolist(),
            accepted=event.accepted.tolist(),
            entropy=event.entropy.tolist(),
        )
    )


def _response(
    info: ModelInfo, canvas: CanvasRequest, result: CanvasResult
) -> canvas_pb2.DenoiseResponse:
    report = Report(
        model=info.name,
        weights_digest=info.weights_digest,
        method=Method.DIFFUSION,
        seed=canvas.seed,
        steps=result.steps,
        candidates=1,
        queue_ms=result.queue_ms,
        compute_ms=result.compute_ms,
    )
    return canvas_pb2.DenoiseResponse(
        tokens=result.tokens.tolist(),
        entropy=result.entropy.tolist(),
        candidate_mass=result.candidate_mass.tolist(),
        finish_reason=result.reason.name,
        report=report_to(report),
    )
