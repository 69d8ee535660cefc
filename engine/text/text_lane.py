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
        check_context(len(request.prompt), room, self.max_context)

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


def check_context(prompt: int, room: int, max_context: int) -> None:
    """Refuse what does not fit into a model's context.

    Args:
        prompt: its tokens.
        room: tokens of the canvases after it.
        max_context: tokens of both together at most.

    Raises:
        CanvasError: naming the prompt, or ``max_tokens`` where no prompt would fit before.
    """
    if room > max_context:
        raise CanvasError(
            "max_tokens",
            f"asks for canvases of {room} tokens, accepted: at most {max_context}, prompt included",
        )
    if prompt > max_context - room:
        raise CanvasError(
            "prompt",
            f"got {prompt} tokens, accepted: at most {max_context - room} before {room} new ones, "
            f"{max_context} in all",
        )
