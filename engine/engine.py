"""The engine: loaded models, one worker thread, requests in, drafts and results out.

The worker admits waiting requests into the running batches at every step boundary, steps each
model once, and hands what came of it back to the event loops that asked. One thread touches the
models; callers only append to a queue and await.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import structlog
import torch

from engine.canvas import CanvasRequest, CanvasResult
from engine.client import (
    DenoisingError,
    EngineStoppedError,
    ModelInfo,
    OnDraft,
    OnTextEvent,
    UnknownModelError,
)
from engine.device_check import check_device
from engine.ending import Ending
from engine.job import Job, tell
from engine.lane import Lane
from engine.limits import EngineLimits
from engine.models import AnyCheckpoint, LoadedModel, open_models, torch_threads
from engine.text.request import TextRequest, TextResult
from engine.ticket import Request
from engine.waiting import WaitingLine

log = structlog.get_logger(__name__)


class Engine:
    """An ``EngineClient`` in this process. A context manager: leaving it stops the worker.

    The end of the process stops it too.
    """

    def __init__(
        self, checkpoints: Mapping[str, AnyCheckpoint], limits: EngineLimits | None = None
    ) -> None:
        """Make the models ready, which compiles and takes memory, and start the worker.

        Raises:
            ConfigError: a text model's context is too short for its canvas.
            MemoryError: a text model leaves no memory for a single short sequence.
        """
        self.limits = limits or EngineLimits()
        self._models = open_models(checkpoints, self.limits)
        self._torch_threads = torch_threads(self._models.values(), self.limits)
        self._open: set[Job] = set()
        self._waiting = WaitingLine(self.limits.max_queue)
        self._wake = threading.Condition()
        self._refusal = ""  # why no request is taken any more
        self._end = Ending()
        self._worker = threading.Thread(target=self._run, name="inkfill-engine", daemon=True)
        self._worker.start()
        atexit.register(self.stop)  # a thread that Python ends within torch takes the process down

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def models(self) -> Sequence[ModelInfo]:
        """The loaded models, in the order in which they were given."""
        return tuple(model.info for model in self._models.values())

    def model(self, name: str) -> ModelInfo:
        """One model; see ``EngineClient.model``."""
        return self._model(name).info

    async def denoise(
        self, model: str, request: CanvasRequest, on_draft: OnDraft | None = None
    ) -> CanvasResult:
        """Denoise one canvas; see ``EngineClient.denoise``."""
        result: CanvasResult = await self._answer(model, request, on_draft)
        return result

    async def generate(
        self, model: str, request: TextRequest, on_event: OnTextEvent | None = None
    ) -> TextResult:
        """Generate a text; see ``EngineClient.generate``."""
        result: TextResult = await self._answer(model, request, on_event)
        return result

    async def ended(self) -> None:
        """Wait for the worker's end; see ``EngineClient.ended``."""
        await self._end.wait()

    def stop(self) -> None:
        """Refuse new canvases, fail those under way, end the worker. Idempotent."""
        with self._wake:
            self._refusal = self._refusal or "the engine is stopping"
            self._wake.notify()
        self._worker.join()
        atexit.unregister(self.stop)

    async def _answer(
        self, model: str, request: Request, on_event: Callable[[Any], None] | None
    ) -> Any:
        self._model(model).lane.validate(request)
        job = Job.of(model, request, on_event)
        self._submit(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            job.cancelled = True
            raise
        finally:
            with self._wake:
                self._open.discard(job)
                self._waiting.discard(job)

    def _model(self, name: str) -> LoadedModel:
        try:
            return self._models[name]
        except KeyError:
            raise UnknownModelError(name, sorted(self._models)) from None

    def _submit(self, job: Job) -> None:
        with self._wake:
            if self._refusal:
                raise EngineStoppedError(self._refusal)
            self._waiting.add(job)
            self._open.add(job)
            self._wake.notify()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:  # nobody is to wait for a thread that is gone
            log.critical("engine_failed", exc_info=True)
        finally:
            self._fail_all()
            self._end.reach()

    def _work(self) -> None:
        """Admit what waits and step what runs, until told to stop."""
        torch.set_num_threads(self._torch_threads)
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._refusal or len(self._waiting) or self._busy())
                if self._refusal:
                    return
                for name, model in self._models.items():
                    self._waiting.admit(name, model.lane)
            for name, model in self._models.items():
                if model.lane.jobs:
                    self._cycle(name, model.lane)

    def _busy(self) -> bool:
        return any(model.lane.jobs for model in self._models.values())

    def _cycle(self, name: str, lane: Lane) -> None:
        """Step a model; one that fails loses what it works on, and must not end the others."""
        there = lane.jobs  # before: a cycle that fails may have let go of some without a word
        try:
            tell(lane.cycle())
        except Exception as error:
            log.exception("step_failed", model=name)
            lane.clear()
            tell([(job, DenoisingError(f"a step failed: {error}")) for job in there])
            check_device(self._models[name].info.device)

    def _fail_all(self) -> None:
        """Refuse all that is under way, wherever it is, and all to come."""
        with self._wake:
            self._refusal = self._refusal or "the engine has failed"
            lost = tuple(self._open)
            self._waiting.clear()
            for model in self._models.values():
                model.lane.clear()
        tell([(job, EngineStoppedError(self._refusal)) for job in lost])
