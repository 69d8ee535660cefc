"""Canvases and texts over gRPC: any model that needs no relations between positions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc
from inkfill.v1 import canvas_pb2, canvas_pb2_grpc

from engine.canvas import CanvasRequest, CanvasResult, Draft
from engine.client import EngineClient, ModelInfo, OnDraft, OnTextEvent, TextEvent
from engine.text.request import CanvasCommit, TextResult
from service.encoding_pool import EncodingPool
from service.errors import named_by
from service.messages import report_to
from service.servicers.canvas_models import denoising_model, generating_model
from service.servicers.canvas_request import canvas_request, request_path
from service.servicers.prompt import prompt_of
from service.servicers.text_request import text_request
from service.servicers.text_response import TextCall, TextEvents
from service.streams import Final, drafts_of
from service.texts import TextModel, TextModels
from solvers.base import Method, Report

Context = grpc.aio.ServicerContext[Any, Any]


class CanvasServicer(canvas_pb2_grpc.CanvasServicer):
    """Serves ``inkfill.v1.Canvas``."""

    def __init__(self, engine: EngineClient, texts: TextModels, encoding: EncodingPool) -> None:
        self._engine = engine
        self._texts = texts
        self._encoding = encoding

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

    async def Generate(  # noqa: N802
        self,
        request: canvas_pb2.GenerateRequest,
        context: Context,  # noqa: ARG002
    ) -> canvas_pb2.GenerateResponse:
        """See canvas.proto."""
        call = await self._call(request)
        return call.response(await self._generate(call))

    async def GenerateStream(  # noqa: N802
        self,
        request: canvas_pb2.GenerateRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[canvas_pb2.GenerateEvent]:
        """See canvas.proto."""
        call = await self._call(request)
        shown = TextEvents(call)
        work = drafts_of(partial(self._generate, call), is_kept=_is_commit)
        async with aclosing(work) as events:
            async for event in events:
                yield shown.message(event)

    async def _answer(
        self, request: canvas_pb2.DenoiseRequest, on_draft: OnDraft | None = None
    ) -> canvas_pb2.DenoiseResponse:
        info = denoising_model(self._engine, request.model)
        text = self._texts.get(info.name) or TextModel()
        prompt = await prompt_of(request, info, text, self._encoding)
        with named_by(lambda field: prompt.path(request_path(field))):
            canvas = canvas_request(request, info, prompt.tokens, text.defaults.sampling)
            result = await self._engine.denoise(info.name, canvas, on_draft)
        response = _response(info, canvas, result)
        if text.tokenizer and (answer := text.answer(prompt.tokens)):
            response.text = text.tokenizer.decode(response.tokens)
            part = answer.push_all(response.tokens, last=True)
            response.thought, response.answer = part.thought, part.text
        return response

    async def _call(self, request: canvas_pb2.GenerateRequest) -> TextCall:
        info = generating_model(self._engine, request.model)
        text = self._texts.get(info.name) or TextModel()
        prompt = await prompt_of(request, info, text, self._encoding)
        return TextCall(info, text, prompt, text_request(request, prompt, info, text))

    async def _generate(self, call: TextCall, on_event: OnTextEvent | None = None) -> TextResult:
        with named_by(lambda field: call.prompt.path(request_path(field))):
            return await self._engine.generate(call.info.name, call.request, on_event)


def _is_commit(event: TextEvent) -> bool:
    return isinstance(event, CanvasCommit)


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
