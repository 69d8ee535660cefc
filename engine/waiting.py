"""Requests that wait for a place, and who goes next."""

from __future__ import annotations

from collections import Counter

from engine.canvas import CanvasRequest
from engine.client import EngineOverloadedError
from engine.job import Job
from engine.lane import Lane


class WaitingLine:
    """First come, first served, but no group of canvases takes all places.

    A group may take another place while it holds fewer than are free. So one alone gets half of
    them, two at once a half and a quarter, and whoever comes with a single canvas finds one.
    """

    def __init__(self, limit: int) -> None:
        """Start empty.

        Args:
            limit: how many may wait, of all models together.
        """
        self._limit = limit
        self._by_model: dict[str, dict[Job, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_model.values()))

    def add(self, job: Job) -> None:
        """Let a request wait.

        Raises:
            EngineOverloadedError: the line is full.
        """
        if len(self) >= self._limit:
            raise EngineOverloadedError(f"{len(self)} canvases are waiting, the most allowed")
        self._by_model.setdefault(job.model, {})[job] = None

    def discard(self, job: Job) -> None:
        """Forget a request that may have been taken already."""
        self._by_model.get(job.model, {}).pop(job, None)

    def clear(self) -> None:
        """Forget all."""
        self._by_model.clear()

    def admit(self, model: str, lane: Lane) -> None:
        """Move to a lane whom it has room for.

        Who does not fit for its size holds up those behind, or it would wait for ever.
        """
        waiting = self._by_model.get(model)
        if not waiting or lane.free <= 0:
            return
        held = Counter(_group(job) for job in lane.jobs)
        for job in list(waiting):
            if lane.free <= 0:
                return
            group = _group(job)
            if held[group] and held[group] >= lane.free:
                continue
            if not lane.has_room(job):
                return
            lane.admit(job)
            held[group] += 1
            del waiting[job]


def _group(job: Job) -> object:
    """What a request belongs to; itself, if to nothing."""
    request = job.request
    return (isinstance(request, CanvasRequest) and request.group) or job
