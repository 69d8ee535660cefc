"""One model at work, as the engine's worker drives it: a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.canvas import CanvasRequest
from engine.job import Job, News
from engine.text.request import TextRequest


class Lane(Protocol):
    """Requests of one model, between their admission and their departure."""

    def validate(self, request: CanvasRequest | TextRequest) -> None:
        """Check a request against the model. Raises: CanvasError."""

    @property
    def jobs(self) -> Sequence[Job]:
        """All that are admitted."""

    @property
    def free(self) -> int:
        """How many more requests could be taken in, as far as their number decides."""

    def has_room(self, job: Job) -> bool:
        """Whether this one can be taken in now."""

    def admit(self, job: Job) -> None:
        """Take a request in; it costs nothing until the next cycle. See ``has_room``."""

    def cycle(self) -> Sequence[News]:
        """Take one step of all that runs, and tell what came of it.

        Raises:
            Exception: a step failed, and every request of the lane is lost with it.
        """

    def clear(self) -> None:
        """Give up every request."""
