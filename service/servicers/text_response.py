"""What is seen of a text, and the text, as messages."""

from __future__ import annotations

from dataclasses import dataclass

from inkfill.v1 import canvas_pb2, common_pb2

from engine.canvas import Draft
from engine.client import ModelInfo, TextEvent
from engine.text.answer import Answer, Part
from engine.text.request import CanvasCommit, CanvasDraft, TextRequest, TextResult
from service.messages import report_to
from service.servicers.prompt import Prompt
from service.streams import Final
from service.texts import TextModel
from solvers.base import Method, Report


@dataclass(frozen=True, eq=False)
class TextCall:
    """A text under way.

    Attributes:
        info: the model that it is asked of.
        model: that model's strings.
        prompt: what the text follows.
        request: what is asked.
    """

    info: ModelInfo
    model: TextModel
    prompt: Prompt
    request: TextRequest

    def response(self, result: TextResult) -> canvas_pb2.GenerateResponse:
        """The message of the finished text."""
        answer = self.model.answer(self.prompt.tokens)
        part = answer.push_all(result.tokens.tolist(), last=True) if answer else Part()
        return canvas_pb2.GenerateResponse(
            text=part.text,
            thought=part.thought,
            tokens=result.tokens.tolist(),
            entropy=result.entropy.tolist(),
            candidate_mass=result.candidate_mass.tolist(),
            finish_reason=result.finish.name,
            canvases=result.canvases,
            prompt_token_count=len(self.prompt.tokens),
            report=self._report(result),
        )

    def _report(self, result: TextResult) -> common_pb2.Report:
        return report_to(
            Report(
                model=self.info.name,
                weights_digest=self.info.weights_digest,
                method=Method.DIFFUSION,
                seed=self.request.seed,
                steps=result.steps,
                candidates=1,
                queue_ms=result.queue_ms,
                compute_ms=result.compute_ms,
            )
        )


class TextEvents:
    """The events of one text as messages; the text grows with every canvas that is committed."""

    def __init__(self, call: TextCall) -> None:
        self._call = call
        self._answer = call.model.answer(call.prompt.tokens)
        self._committed = 0  # tokens

    def message(self, event: TextEvent | Final[TextResult]) -> canvas_pb2.GenerateEvent:
        """The message of the next event."""
        match event:
            case CanvasDraft():
                return canvas_pb2.GenerateEvent(draft=self._draft(event.block, event.draft))
            case CanvasCommit():
                return canvas_pb2.GenerateEvent(commit=self._commit(event))
            case Final():
                return canvas_pb2.GenerateEvent(response=self._call.response(event.value))

    def _draft(self, block: int, draft: Draft) -> canvas_pb2.GenerateDraft:
        tokens = draft.tokens.tolist()
        parts = self._preview(self._answer, tokens) if self._answer else []
        return canvas_pb2.GenerateDraft(
            block=block,
            step=draft.step,
            text="".join(part.text for part in parts),
            tokens=tokens,
            accepted=draft.accepted.tolist(),
            entropy=draft.entropy.tolist(),
            pieces=[part.thought + part.text for part in parts],
        )

    def _preview(self, answer: Answer, tokens: list[int]) -> list[Part]:
        """What each token would add if the canvas were committed as it is."""
        request = self._call.request
        room = min(len(tokens), request.max_tokens - self._committed)
        ends = (i for i, token in enumerate(tokens[:room]) if token in request.eos_token_ids)
        kept = next(ends, room)
        answer = answer.fork()
        parts = [answer.push(token) for token in tokens[:kept]]
        if parts and self._is_last(kept):
            parts[-1] = parts[-1].then(answer.flush())
        return parts + [Part()] * (len(tokens) - kept)

    def _commit(self, event: CanvasCommit) -> canvas_pb2.GenerateCommit:
        tokens = event.tokens.tolist()
        last = self._is_last(len(tokens))
        self._committed += len(tokens)
        part = self._answer.push_all(tokens, last=last) if self._answer else Part()
        return canvas_pb2.GenerateCommit(
            block=event.block,
            text=part.text,
            thought=part.thought,
            tokens=tokens,
            finish_reason=event.reason.name,
            steps=event.steps,
        )

    def _is_last(self, kept: int) -> bool:
        """Whether a canvas of which so many tokens are kept ends the text."""
        cut = kept < self._call.info.canvas_length
        return cut or self._committed + kept >= self._call.request.max_tokens
