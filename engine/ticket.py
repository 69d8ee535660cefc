"""A request on its way through the engine, and what a batch hands back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from engine.canvas import CanvasRequest, CanvasResult, Draft
from engine.text.request import CanvasCommit, CanvasDraft, TextRequest, TextResult

Request = CanvasRequest | TextRequest
#: What is shown of a request before it is done.
Event = Draft | CanvasDraft | CanvasCommit
Result = CanvasResult | TextResult

#: What a batch hands back is the tickets that it was given, of the caller's own kind.
T = TypeVar("T", bound="Ticket[Any]")
#: The kind of request.
Q = TypeVar("Q", bound=Request)


@dataclass(eq=False)
class Ticket(Generic[Q]):
    """A request on its way through the engine.

    Attributes:
        request: a canvas or a text.
        wants_drafts: whether its events are made.
        cancelled: set by the caller; the canvas leaves before another step.
    """

    request: Q
    wants_drafts: bool = False
    cancelled: bool = False
    submitted: float = field(default_factory=time.monotonic)
    admitted: float = 0.0

    @property
    def queue_ms(self) -> float:
        """From submission to admission."""
        return (self.admitted - self.submitted) * 1e3

    def compute_ms(self, now: float) -> float:
        """From admission to ``now``, which ``time.monotonic`` gave."""
        return (now - self.admitted) * 1e3


@dataclass(frozen=True, eq=False)
class Departure(Generic[T]):
    """A request that is done, with its result."""

    ticket: T
    result: Result


@dataclass(frozen=True, eq=False)
class StepOutcome(Generic[T]):
    """What one step of a batch produced, in order."""

    events: Sequence[tuple[T, Event]]
    departures: Sequence[Departure[T]]
