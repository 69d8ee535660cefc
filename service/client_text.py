"""What a client sends and gets of texts, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from inkfill.v1 import canvas_pb2

from engine.canvas import FinishReason, SamplingParams
from engine.text.request import TextFinish
from service.client_messages import sampling_to
from service.client_prompt import PromptText, prompt_fields
from service.messages import report_from
from solvers.base import Report


class GenerateOptions(TypedDict, total=False):
    """What may be said beside a prompt; ``CanvasCalls.generate`` tells what it means."""

    think: bool | None
    max_tokens: int | None
    sampling: SamplingParams | None
    seed: int | None


@dataclass(frozen=True)
class GeneratedText:
    """A text; see ``GenerateResponse`` in canvas.proto."""

    text: str
    thought: str
    tokens: tuple[int, ...]
    entropy: tuple[float, ...]
    candidate_mass: tuple[float, ...]
    finish_reason: TextFinish
    canvases: int
    prompt_token_count: int
    report: Report


@dataclass(frozen=True)
class TextDraft:
    """The running canvas after a step; see ``GenerateDraft`` in canvas.proto."""

    block: int
    step: int
    text: str
    tokens: tuple[int, ...]
    accepted: tuple[bool, ...]
    entropy: tuple[float, ...]
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class TextCommit:
    """A canvas that is final; see ``GenerateCommit`` in canvas.proto."""

    block: int
    text: str
    thought: str
    tokens: tuple[int, ...]
    finish_reason: FinishReason
    steps: int


TextEvent = TextDraft | TextCommit | GeneratedText


def generate_request(
    model: str,
    prompt: PromptText,
    think: bool | None = None,
    max_tokens: int | None = None,
    sampling: SamplingParams | None = None,
    seed: int | None = None,
) -> canvas_pb2.GenerateRequest:
    """The message that asks for a text to be generated."""
    return canvas_pb2.GenerateRequest(
        model=model,
        think=think,
        max_tokens=max_tokens,
        sampling=sampling_to(sampling, seed),
        **prompt_fields(prompt),
    )


def generated_text(response: canvas_pb2.GenerateResponse) -> GeneratedText:
    """The text that a message carries."""
    return GeneratedText(
        text=response.text,
        thought=response.thought,
        tokens=tuple(response.tokens),
        entropy=tuple(response.entropy),
        candidate_mass=tuple(response.candidate_mass),
        finish_reason=TextFinish[canvas_pb2.TextFinish.Name(response.finish_reason)],
        canvases=response.canvases,
        prompt_token_count=response.prompt_token_count,
        report=report_from(response.report),
    )


def text_event(event: canvas_pb2.GenerateEvent) -> TextEvent:
    """A draft, a canvas that is final, or the text that ends a stream."""
    if event.HasField("response"):
        return generated_text(event.response)
    if event.HasField("commit"):
        return _commit(event.commit)
    draft = event.draft
    return TextDraft(
        block=draft.block,
        step=draft.step,
        text=draft.text,
        tokens=tuple(draft.tokens),
        accepted=tuple(draft.accepted),
        entropy=tuple(draft.entropy),
        pieces=tuple(draft.pieces),
    )


def _commit(commit: canvas_pb2.GenerateCommit) -> TextCommit:
    return TextCommit(
        block=commit.block,
        text=commit.text,
        thought=commit.thought,
        tokens=tuple(commit.tokens),
        finish_reason=FinishReason[canvas_pb2.FinishReason.Name(commit.finish_reason)],
        steps=commit.steps,
    )
