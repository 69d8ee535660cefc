"""A model of canvases at work: its batches, one a layout."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from engine.batcher import CanvasBatch
from engine.canvas import CanvasError, CanvasRequest
from engine.client import DenoisingError
from engine.device_check import check_device
from engine.job import Job, News
from engine.layout import Layout
from engine.model import DiffusionGemma
from engine.stepper import Stepper
from engine.text.request import TextRequest

log = structlog.get_logger(__name__)

#: Positions; on a GPU short canvases are padded to a multiple of this.
_BUCKET = 32


class CanvasLane:
    """An ``engine.lane.Lane`` of a small model. A batch that fails takes no other with it."""

    def __init__(self, model: DiffusionGemma, fast: Stepper | None, max_batch: int) -> None:
        """Start empty.

        Args:
            model: the network.
            fast: takes the steps; None for the reference.
            max_batch: canvases that run at once.
        """
        self._model = model
        self._fast = fast
        self._max_batch = max_batch
        # Canvases of several lengths share a batch where that is computed as one.
        self._bucket = 1 if model.device.type == "cpu" else _BUCKET
        self._arrivals: dict[Layout, list[Job]] = {}
        self._batches: dict[Layout, CanvasBatch[Job]] = {}

    def validate(self, request: CanvasRequest | TextRequest) -> None:
        """See ``Lane.validate``."""
        config = self._model.config
        if isinstance(request, TextRequest):
            raise CanvasError("model", f"is for {config.task}, and generates no text")
        request.validate(config.vocab_size, config.canvas_length)
        if request.prompt:
            raise CanvasError(
                "prompt", f"a model for {config.task} reads no prompt, accepted: none"
            )
        have = set(request.relations.matrices) if request.relations else set()
        if missing := set(config.relations.names) - have:
            raise CanvasError(
                "relations",
                f"this model's heads need {', '.join(sorted(missing))}, which only the solver of "
                f"its task ({config.task}) lays out",
            )

    @property
    def jobs(self) -> Sequence[Job]:
        """See ``Lane.jobs``."""
        arrived = [job for jobs in self._arrivals.values() for job in jobs]
        return arrived + [job for batch in self._batches.values() for job in batch.tickets]

    @property
    def free(self) -> int:
        """See ``Lane.free``."""
        return self._max_batch - len(self.jobs)

    def has_room(self, job: Job) -> bool:  # noqa: ARG002  # one canvas is like another
        """See ``Lane.has_room``."""
        return self.free > 0

    def admit(self, job: Job) -> None:
        """See ``Lane.admit``."""
        self._arrivals.setdefault(Layout.of(job.request, self._bucket), []).append(job)

    def cycle(self) -> Sequence[News]:
        """See ``Lane.cycle``; what fails are batches, each with its own canvases, or the device."""
        arrivals, self._arrivals = self._arrivals, {}
        news: list[News] = []
        for layout in {**self._batches, **arrivals}:
            running = self._batches.get(layout)
            there = [*(running.tickets if running else ()), *arrivals.get(layout, ())]
            try:
                news += self._advance(layout, arrivals.get(layout, ()))
            except Exception as error:
                log.exception("batch_failed", task=self._model.config.task)
                self._batches.pop(layout, None)
                news += [(job, DenoisingError(f"a step failed: {error}")) for job in there]
                check_device(self._model.device)
        return news

    def clear(self) -> None:
        """See ``Lane.clear``."""
        self._arrivals.clear()
        self._batches.clear()

    def _advance(self, layout: Layout, arrivals: Sequence[Job]) -> list[News]:
        batch = self._batches.get(layout)
        if batch is None:
            batch = self._batches[layout] = CanvasBatch(self._model, layout, self._fast)
        departed = batch.admit(arrivals) if arrivals else []
        outcome = batch.step()
        if not len(batch):
            del self._batches[layout]
        results = [(d.ticket, d.result) for d in (*departed, *outcome.departures)]
        return [*outcome.events, *results]
