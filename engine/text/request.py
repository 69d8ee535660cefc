"""What goes into a text model and what comes out: requests, running canvases, committed ones.

A text is denoised canvas after canvas. A canvas that is final is committed: its tokens join the
prompt of the next one, and change no more. L is the length of a canvas.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from engine.canvas import (
    CanvasError,
    Draft,
    FinishReason,
    Floats,
    SamplingParams,
    Tokens,
    check_seed,
    check_tokens,
)


class TextFinish(enum.Enum):
    """Why a text ended."""

    END_OF_TEXT = "end_of_text"
    """An end token was met."""
    MAX_TOKENS = "max_tokens"
    """As many tokens are committed as were asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TextRequest:
    """A text to generate.

    Attributes:
        prompt: tokens before the text, each 0 to V - 1.
        max_tokens: new tokens at most; canvases are denoised whole and the last one is cut.
        sampling: the knobs, of every canvas.
        seed: of the noise, any int64.
        eos_token_ids: each ends the text.
    """

    prompt: tuple[int, ...]
    max_tokens: int
    sampling: SamplingParams
    seed: int = 0
    eos_token_ids: tuple[int, ...] = ()

    def validate(self, vocabulary: int) -> None:
        """Check the request against a model.

        Raises:
            CanvasError: naming the field, what was given and what is accepted.
        """
        if self.max_tokens < 1:
            raise CanvasError("max_tokens", f"got {self.max_tokens}, accepted: at least 1")
        check_seed(self.seed)
        check_tokens("prompt", self.prompt, vocabulary)


@dataclass(frozen=True, eq=False)
class CanvasDraft:
    """The running canvas after a step.

    Attributes:
        block: which canvas of the text, from 0.
        draft: the canvas, whole.
    """

    block: int
    draft: Draft


@dataclass(frozen=True, eq=False)
class CanvasCommit:
    """A canvas that is final.

    Attributes:
        block: which canvas of the text, from 0.
        tokens: int64 [<= L], cut at the end of the text and at ``max_tokens``; the end token is
            not among them.
        reason: why it left the batch.
        steps: decoder passes spent on it.
    """

    block: int
    tokens: Tokens
    reason: FinishReason
    steps: int


@dataclass(frozen=True, eq=False)
class TextResult:
    """A text that has ended. N is the number of its tokens.

    Attributes:
        tokens: int64 [N], all committed tokens; the end token is not among them.
        entropy: float32 [N], nats, each at the last step of its canvas.
        candidate_mass: float32 [N], as in ``CanvasResult``.
        finish: why it ended.
        canvases: how many were denoised.
        steps: decoder passes spent on all of them.
        queue_ms: from submission to admission.
        compute_ms: from admission to the end.
    """

    tokens: Tokens
    entropy: Floats
    candidate_mass: Floats
    finish: TextFinish
    canvases: int
    steps: int
    queue_ms: float
    compute_ms: float
