"""What a caller asks of a text model, as canvases one after another.

A single canvas after a prompt, or a text: canvas after canvas, each the prompt of the next, until
an end token or enough tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from engine.canvas import FREE, CanvasRequest, CanvasResult, Draft
from engine.text.request import CanvasCommit, CanvasDraft, TextFinish, TextRequest, TextResult
from engine.ticket import Event, Request, Result, Ticket


@dataclass(frozen=True, eq=False)
class Taken:
    """What a finished canvas leads to.

    Attributes:
        events: to show.
        result: where nothing follows.
        tokens: to encode before the next canvas; empty where nothing follows.
    """

    events: Sequence[Event]
    result: Result | None
    tokens: Sequence[int] = ()


class Passage(Protocol):
    """A request as canvases."""

    @property
    def prompt(self) -> Sequence[int]:
        """Tokens to encode before the first canvas."""

    def canvas(self) -> CanvasRequest:
        """The next canvas."""

    def show(self, draft: Draft) -> Event:
        """What the caller sees of a draft of it."""

    def take(self, result: CanvasResult, now: float) -> Taken:
        """Go on from the finished canvas. ``now`` is of ``time.monotonic``."""


def passage_of(ticket: Ticket[Request], canvas_length: int) -> Passage:
    """The passage that a ticket asks for, of a model with such canvases."""
    request = ticket.request
    if isinstance(request, TextRequest):
        return _Text(ticket, request, canvas_length)
    return _Single(ticket, request)


def cached_positions(request: Request, canvas_length: int) -> int:
    """Positions that are encoded in the course of a request, at most: all but the last canvas."""
    if isinstance(request, TextRequest):
        return len(request.prompt) + (canvases_of(request, canvas_length) - 1) * canvas_length
    return len(request.prompt)


def canvases_of(request: TextRequest, canvas_length: int) -> int:
    """How many canvases a text takes at most."""
    return math.ceil(request.max_tokens / canvas_length)


class _Single:
    def __init__(self, ticket: Ticket[Request], request: CanvasRequest) -> None:
        self._ticket = ticket
        self._request = request

    @property
    def prompt(self) -> Sequence[int]:
        return self._request.prompt

    def canvas(self) -> CanvasRequest:
        return self._request

    def show(self, draft: Draft) -> Event:
        return draft

    def take(self, result: CanvasResult, now: float) -> Taken:
        ticket = self._ticket
        whole = replace(result, queue_ms=ticket.queue_ms, compute_ms=ticket.compute_ms(now))
        return Taken((), whole)


class _Text:
    def __init__(self, ticket: Ticket[Request], request: TextRequest, canvas_length: int) -> None:
        self._ticket = ticket
        self._request = request
        self._length = canvas_length
        self._done: list[CanvasResult] = []

    @property
    def prompt(self) -> Sequence[int]:
        return self._request.prompt

    def canvas(self) -> CanvasRequest:
        """A canvas of its own noise: its number is its candidate's."""
        return CanvasRequest(
            clamps=np.full(self._length, FREE, np.int64),
            sampling=self._request.sampling,
            seed=self._request.seed,
            candidate=len(self._done),
        )

    def show(self, draft: Draft) -> Event:
        return CanvasDraft(len(self._done), draft)

    def take(self, result: CanvasResult, now: float) -> Taken:
        block, length = len(self._done), len(result.tokens)
        kept = min(length, self._request.max_tokens - block * length)
        ends = np.flatnonzero(np.isin(result.tokens[:kept], self._request.eos_token_ids))
        kept = int(ends[0]) if len(ends) else kept
        self._done.append(_cut(result, kept))
        commit = CanvasCommit(block, result.tokens[:kept], result.reason, result.steps)
        if len(ends):
            return Taken((commit,), self._result(TextFinish.END_OF_TEXT, now))
        if len(self._done) == canvases_of(self._request, length):
            return Taken((commit,), self._result(TextFinish.MAX_TOKENS, now))
        return Taken((commit,), None, result.tokens.tolist())

    def _result(self, finish: TextFinish, now: float) -> TextResult:
        done = self._done
        return TextResult(
            tokens=np.concatenate([canvas.tokens for canvas in done]),
            entropy=np.concatenate([canvas.entropy for canvas in done]),
            candidate_mass=np.concatenate([canvas.candidate_mass for canvas in done]),
            finish=finish,
            canvases=len(done),
            steps=sum(canvas.steps for canvas in done),
            queue_ms=self._ticket.queue_ms,
            compute_ms=self._ticket.compute_ms(now),
        )


def _cut(result: CanvasResult, length: int) -> CanvasResult:
    return replace(
        result,
        tokens=result.tokens[:length],
        entropy=result.entropy[:length],
        candidate_mass=result.candidate_mass[:length],
    )
