"""A text model at work."""

from __future__ import annotations

from collections.abc import Sequence

from engine.canvas import CanvasError, CanvasRequest
from engine.config import ModelConfig
from engine.job import Job, News
from engine.text.passage import canvases_of
from engine.text.request import TextRequest
from engine.text.text_batch import TextBatch


class TextLane:
    """An ``engine.lane.Lane`` over one batch."""

    def __init__(
        self, config: ModelConfig, batch: TextBatch[Job], sequences: int, max_context: int
    ) -> None:
        """Start empty.

        Args:
            config: of the model.
            batch: its batch.
            sequences: that run at once.
            max_context: tokens of a prompt and of what follows it, whole canvases.
        """
        self.config = config
        self.max_context = max_context
        self._batch = batch
        self._sequences = sequences

    def validate(self, request: CanvasRequest | TextRequest) -> None:
        """See ``Lane.validate``."""
        config = self.config
        if isinstance(request, TextRequest):
            request.validate(config.vocab_size)
            room = canvases_of(request, config.canvas_length) * config.canvas_length
        else:
            request.validate(config.vocab_size, config.canvas_length)
            self._refuse_structure(request)
            room = request.length
        most = self.max_context - room
        if most < 0:
            raise CanvasError(
                "max_tokens",
                f"asks for canvases of {room} tokens, accepted: at most {self.max_context}, prompt "
                "included",
            )
        if len(request.prompt) > most:
            raise CanvasError(
                "prompt",
                f"got {len(request.prompt)} tokens, accepted: at most {most} before {room} new "
                f"ones, {self.max_context} in all",
            )

    def _refuse_structure(self, request: CanvasRequest) -> None:
        for name in ("relations", "constraint"):
            if getattr(request, name) is not None:
                raise CanvasError(name, "a text model has none, accepted: none")
        if request.wants_belief:
            raise CanvasError("wants_belief", "a text model keeps no belief, accepted: false")

    @property
    def jobs(self) -> Sequence[Job]:
        """See ``Lane.jobs``."""
        return self._batch.tickets

    @property
    def free(self) -> int:
        """See ``Lane.free``."""
        return self._sequences - len(self._batch)

    def has_room(self, job: Job) -> bool:
        """See ``Lane.has_room``."""
        return self._batch.has_room(job.request)

    def admit(self, job: Job) -> None:
        """See ``Lane.admit``."""
        self._batch.admit(job)

    def cycle(self) -> Sequence[News]:
        """See ``Lane.cycle``."""
        outcome = self._batch.step()
        return [*outcome.events, *((d.ticket, d.result) for d in outcome.departures)]

    def clear(self) -> None:
        """See ``Lane.clear``."""
        self._batch.clear()
