"""The client's calls of the canvas service, for asyncio and without."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Unpack

from inkfill.v1 import canvas_pb2_grpc

from service.client_calls import answer_of, events_of
from service.client_messages import (
    CanvasDraft,
    DenoisedCanvas,
    DenoiseOptions,
    canvas_event,
    denoise_request,
    denoised_canvas,
)
from service.client_prompt import PromptText
from service.client_text import (
    GeneratedText,
    GenerateOptions,
    TextEvent,
    generate_request,
    generated_text,
    text_event,
)
from service.loop_thread import LoopThread


class CanvasCalls:
    """What ``InkfillClient`` can do with text models. Every call raises InkfillError."""

    timeout: float | None
    _canvas: canvas_pb2_grpc.CanvasStub

    async def generate(
        self, model: str, prompt: PromptText, **options: Unpack[GenerateOptions]
    ) -> GeneratedText:
        """Continue a prompt, canvas after canvas.

        Args:
            model: its name.
            prompt: text to be continued; tokens; or ``ChatMessage``s, a conversation to be
                answered (``engine.text.message``).
            options: any of these, all by name:

                * ``think``: whether the model is to think first, in a conversation, if it can.
                * ``max_tokens``: new tokens at most; by default the checkpoint's.
                * ``sampling``: a ``SamplingParams``; by default the checkpoint's.
                * ``seed``: of the noise; by default the server draws one, which the report names.

        Raises:
            InkfillError: the call failed.
        """
        request = generate_request(model, prompt, **options)
        return generated_text(await answer_of(self._canvas.Generate(request, timeout=self.timeout)))

    async def generate_stream(
        self, model: str, prompt: PromptText, **options: Unpack[GenerateOptions]
    ) -> AsyncGenerator[TextEvent, None]:
        """Like ``generate``, with its options.

        For each canvas a ``TextDraft`` a step and a ``TextCommit``, then the ``GeneratedText``.
        """
        request = generate_request(model, prompt, **options)
        call = self._canvas.GenerateStream(request, timeout=self.timeout)
        async with aclosing(events_of(call)) as events:
            async for event in events:
                yield text_event(event)

    async def denoise(self, model: str, **options: Unpack[DenoiseOptions]) -> DenoisedCanvas:
        """Denoise a canvas of a text model.

        Args:
            model: its name.
            options: any of these, all by name:

                * ``length``: of the canvas, tokens; by default the model's longest.
                * ``prompt``: what comes before the canvas, as in ``generate``.
                * ``think``: whether the model is to think first, in a conversation, if it can.
                * ``clamps``: position -> the token that it holds.
                * ``domains``: (positions, tokens that they may take) pairs.
                * ``sampling``: a ``SamplingParams``; by default the checkpoint's.
                * ``seed``: of the noise; by default the server draws one, which the report names.

        Raises:
            InkfillError: the call failed.
        """
        request = denoise_request(model, **options)
        return denoised_canvas(await answer_of(self._canvas.Denoise(request, timeout=self.timeout)))

    async def denoise_stream(
        self, model: str, **options: Unpack[DenoiseOptions]
    ) -> AsyncGenerator[CanvasDraft | DenoisedCanvas, None]:
        """Like ``denoise``, with its options: the drafts in order, then the canvas."""
        request = denoise_request(model, **options)
        call = self._canvas.DenoiseStream(request, timeout=self.timeout)
        async with aclosing(events_of(call)) as events:
            async for event in events:
                yield canvas_event(event)


class SyncCanvasCalls:
    """What ``SyncInkfillClient`` can do with text models: ``CanvasCalls`` without an event loop."""

    _loop: LoopThread
    _client: CanvasCalls

    def generate(
        self, model: str, prompt: PromptText, **options: Unpack[GenerateOptions]
    ) -> GeneratedText:
        """See ``CanvasCalls.generate``."""
        return self._loop.call(self._client.generate(model, prompt, **options))

    def generate_stream(
        self, model: str, prompt: PromptText, **options: Unpack[GenerateOptions]
    ) -> Iterator[TextEvent]:
        """See ``CanvasCalls.generate_stream``."""
        return self._loop.iterate(self._client.generate_stream(model, prompt, **options))

    def denoise(self, model: str, **options: Unpack[DenoiseOptions]) -> DenoisedCanvas:
        """See ``CanvasCalls.denoise``."""
        return self._loop.call(self._client.denoise(model, **options))

    def denoise_stream(
        self, model: str, **options: Unpack[DenoiseOptions]
    ) -> Iterator[CanvasDraft | DenoisedCanvas]:
        """See ``CanvasCalls.denoise_stream``."""
        return self._loop.iterate(self._client.denoise_stream(model, **options))
