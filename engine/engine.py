"""The engine: loaded models, one worker thread, canvases in, drafts and results out.

The worker admits waiting canvases into the running batches at every step boundary, steps each
batch once, and hands what came of it back to the event loops that asked. One thread touches the
models; callers only append to a queue and await.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType

import structlog
import torch

from engine.batcher import CanvasBatch
from engine.canvas import CanvasError, CanvasRequest, CanvasResult
from engine.checkpoint import Checkpoint
from engine.client import (
    DenoisingError,
    EngineOverloadedError,
    EngineStoppedError,
    ModelInfo,
    OnDraft,
    OnTextEvent,
    UnknownModelError,
)
from engine.cores import usable_cores
from engine.ending import Ending
from engine.job import Job, tell
from engine.kernels.compilation import log_compilation
from engine.kernels.cpu_decoder import supports_model
from engine.kernels.cpu_guide import compile_guides
from engine.kernels.cpu_stepper import CpuStepper
from engine.layout import Layout
from engine.text.request import TextRequest, TextResult

log = structlog.get_logger(__name__)

#: Positions; on a GPU short canvases are padded to a multiple of this.
_BUCKET = 32


@dataclass(frozen=True, kw_only=True)
class EngineLimits:
    """How much the engine takes on.

    Attributes:
        max_batch: canvases running at once, all models together.
        max_queue: canvases waiting; one more is refused.
        threads: CPU threads to compute with; None for one a core.
    """

    max_batch: int = 64
    max_queue: int = 1024
    threads: int | None = None


class Engine:
    """An ``EngineClient`` in this process. A context manager: leaving it stops the worker."""

    def __init__(
        self, checkpoints: Mapping[str, Checkpoint], limits: EngineLimits | None = None
    ) -> None:
        self.limits = limits or EngineLimits()
        self._checkpoints = dict(checkpoints)
        self._infos = {name: self._describe(name) for name in self._checkpoints}
        threads = self.limits.threads or usable_cores()
        with log_compilation():
            self._fast = {
                name: CpuStepper(checkpoint.model, threads)
                for name, checkpoint in checkpoints.items()
                if supports_model(checkpoint.model)
            }
            if self._fast:
                compile_guides()
        # Beside compiled code only small tensors are left to torch, for which its threads would
        # only wait for each other.
        compiled = len(self._fast) == len(self._checkpoints)
        eager = self.limits.threads or min(threads, torch.get_num_threads())
        self._torch_threads = 1 if compiled else eager
        self._open: set[Job] = set()
        self._waiting: dict[Job, None] = {}  # in order of arrival; a cancelled one goes at once
        self._running: dict[tuple[str, Layout], CanvasBatch[Job]] = {}
        self._wake = threading.Condition()
        self._refusal = ""  # why no canvas is taken any more
        self._end = Ending()
        self._worker = threading.Thread(target=self._run, name="inkfill-engine", daemon=True)
        self._worker.start()

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
        return tuple(self._infos.values())

    def model(self, name: str) -> ModelInfo:
        """One model; see ``EngineClient.model``."""
        self._checkpoint(name)
        return self._infos[name]

    async def denoise(
        self, model: str, request: CanvasRequest, on_draft: OnDraft | None = None
    ) -> CanvasResult:
        """Denoise one canvas; see ``EngineClient.denoise``."""
        self._validate(self._checkpoint(model), request)
        job = Job(request, on_draft is not None, model=model, on_draft=on_draft)
        self._submit(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            job.cancelled = True
            raise
        finally:
            with self._wake:
                self._open.discard(job)
                self._waiting.pop(job, None)

    async def generate(
        self,
        model: str,
        request: TextRequest,  # noqa: ARG002
        on_event: OnTextEvent | None = None,  # noqa: ARG002
    ) -> TextResult:
        """Generate a text; see ``EngineClient.generate``."""
        task = self._checkpoint(model).config.task
        raise CanvasError("model", f"{model!r} is a model for {task}, which generates no text here")

    async def ended(self) -> None:
        """Wait for the worker's end; see ``EngineClient.ended``."""
        await self._end.wait()

    def stop(self) -> None:
        """Refuse new canvases, fail those under way, end the worker. Idempotent."""
        with self._wake:
            self._refusal = self._refusal or "the engine is stopping"
            self._wake.notify()
        self._worker.join()

    def _describe(self, name: str) -> ModelInfo:
        checkpoint = self._checkpoints[name]
        config, network = checkpoint.config, checkpoint.model
        return ModelInfo(
            name=name,
            task=config.task,
            parameters=sum(p.numel() for p in network.parameters()),
            weights_digest=checkpoint.digest,
            device=str(network.device),
            precision=str(network.dtype).removeprefix("torch."),
            canvas_length=config.canvas_length,
            vocabulary=config.vocab_size,
            max_batch=self.limits.max_batch,
            max_queue=self.limits.max_queue,
        )

    def _checkpoint(self, name: str) -> Checkpoint:
        try:
            return self._checkpoints[name]
        except KeyError:
            raise UnknownModelError(name, sorted(self._checkpoints)) from None

    @staticmethod
    def _validate(checkpoint: Checkpoint, request: CanvasRequest) -> None:
        config = checkpoint.config
        request.validate(config.vocab_size, config.canvas_length)
        have = set(request.relations.matrices) if request.relations else set()
        if missing := set(config.relations.names) - have:
            raise CanvasError(
                "relations",
                f"this model's heads need {', '.join(sorted(missing))}, which only the solver of "
                f"its task ({config.task}) lays out",
            )

    def _submit(self, job: Job) -> None:
        with self._wake:
            if self._refusal:
                raise EngineStoppedError(self._refusal)
            if len(self._waiting) >= self.limits.max_queue:
                raise EngineOverloadedError(
                    f"{len(self._waiting)} canvases are waiting, the most allowed"
                )
            self._open.add(job)
            self._waiting[job] = None
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
        """Step what runs and admit what waits, until told to stop."""
        torch.set_num_threads(self._torch_threads)
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._refusal or self._waiting or self._running)
                if self._refusal:
                    return
                admitted = self._take_waiting()
            self._cycle(admitted)

    def _take_waiting(self) -> list[Job]:
        room = self.limits.max_batch - sum(map(len, self._running.values()))
        taken = list(islice(self._waiting, max(0, room)))
        for job in taken:
            del self._waiting[job]
        return taken

    def _cycle(self, admitted: Sequence[Job]) -> None:
        """Admit, then step every batch once."""
        arrivals: dict[tuple[str, Layout], list[Job]] = {}
        for job in admitted:
            layout = Layout.of(job.request, self._bucket(job.model))
            arrivals.setdefault((job.model, layout), []).append(job)
        for key in {**self._running, **arrivals}:
            try:
                self._advance(key, arrivals.get(key, ()))
            except Exception as error:  # one batch's failure must not end the rest
                log.exception("batch_failed", model=key[0])
                batch = self._running.pop(key, None)
                lost = {*(batch.tickets if batch else ()), *arrivals.get(key, ())}
                tell([(job, DenoisingError(f"a step failed: {error}")) for job in lost])

    def _bucket(self, model: str) -> int:
        """Canvases of several lengths share a batch where that is computed as one."""
        return 1 if self._checkpoints[model].model.device.type == "cpu" else _BUCKET

    def _advance(self, key: tuple[str, Layout], arrivals: Sequence[Job]) -> None:
        batch = self._running.get(key)
        if batch is None:
            model, layout = self._checkpoints[key[0]].model, key[1]
            batch = CanvasBatch(model, layout, self._fast.get(key[0]))
            self._running[key] = batch
        departed = batch.admit(arrivals) if arrivals else []
        outcome = batch.step()
        if not len(batch):
            del self._running[key]
        results = [(d.ticket, d.result) for d in (*departed, *outcome.departures)]
        tell([*outcome.drafts, *results])

    def _fail_all(self) -> None:
        """Refuse all that is under way, wherever it is, and all to come."""
        with self._wake:
            self._refusal = self._refusal or "the engine has failed"
            lost = tuple(self._open)
            self._waiting.clear()
            self._running.clear()
        tell([(job, EngineStoppedError(self._refusal)) for job in lost])
