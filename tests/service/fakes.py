"""An engine without weights: it knows the answers, or fails as it is told to."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from engine.canvas import FREE, CanvasRequest, CanvasResult, Draft, FinishReason
from engine.client import (
    EngineOverloadedError,
    ModelInfo,
    OnDraft,
    OnTextEvent,
    UnknownModelError,
)
from engine.ending import Ending
from engine.text.request import CanvasCommit, CanvasDraft, TextFinish, TextRequest, TextResult
from engine.text.text_lane import check_context

SUDOKU = ModelInfo(
    name="oracle",
    task="sudoku",
    parameters=7,
    weights_digest="d" * 64,
    device="cpu",
    precision="float32",
    canvas_length=144,
    vocabulary=17,
    max_batch=8,
    max_queue=16,
)
TEXT = ModelInfo(
    name="scribe",
    task="text",
    parameters=9,
    weights_digest="e" * 64,
    device="cpu",
    precision="bfloat16",
    canvas_length=12,
    vocabulary=50,
    max_batch=8,
    max_queue=16,
    max_context=48,
)
#: Knows the tokens of tests.engine.text.tokenizers.
WRITER = ModelInfo(
    name="writer",
    task="text",
    parameters=9,
    weights_digest="a" * 64,
    device="cpu",
    precision="bfloat16",
    canvas_length=8,
    vocabulary=320,
    max_batch=8,
    max_queue=16,
    max_context=64,
)
COLORING, INDEPENDENT_SET, HAMILTONIAN = (
    ModelInfo(
        name=f"{task} oracle",
        task=task,
        parameters=5,
        weights_digest="f" * 64,
        device="cpu",
        precision="float32",
        canvas_length=512,
        vocabulary=vocabulary,
        max_batch=8,
        max_queue=16,
    )
    for task, vocabulary in (("coloring", 32), ("independent-set", 2), ("hamiltonian", 32))
)
GRAPHS = (COLORING, INDEPENDENT_SET, HAMILTONIAN)

SOLUTION = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
PUZZLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"


def cells(text: str) -> list[int]:
    return [int(c) for c in text.replace(".", "0")]


@dataclass
class FakeEngine:
    """Shows the solution of PUZZLE at every step, or wrong digits, or raises.

    Attributes:
        right: whether the last draft is the solution; if not, every free cell shows token 1.
        shows: token of each position, whatever is asked; None for the above.
        writes: the tokens of every text, after which it ends.
        steps: drafts shown before the result, or before each commit.
        step_s: seconds between steps.
        error: raised instead of denoising.
        requests: canvases that were asked for, in order.
        text_requests: texts that were asked for, in order.
        running, most_running: canvases under way, now and at most.
        cancelled: canvases whose caller went away.
        end: reached when the engine is to be over.
    """

    infos: tuple[ModelInfo, ...] = (SUDOKU, TEXT)
    right: bool = True
    shows: tuple[int, ...] | None = None
    writes: tuple[int, ...] = ()
    steps: int = 3
    step_s: float = 0.0
    error: Exception | None = None
    requests: list[CanvasRequest] = field(default_factory=list)
    text_requests: list[TextRequest] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0
    end: Ending = field(default_factory=Ending)

    def models(self) -> tuple[ModelInfo, ...]:
        return self.infos

    def model(self, name: str) -> ModelInfo:
        for info in self.infos:
            if info.name == name:
                return info
        raise UnknownModelError(name, [info.name for info in self.infos])

    async def denoise(
        self, model: str, request: CanvasRequest, on_draft: OnDraft | None = None
    ) -> CanvasResult:
        info = self.model(model)
        request.validate(info.vocabulary, info.canvas_length)
        if info.max_context:
            check_context(len(request.prompt), request.length, info.max_context)
        with self._under_way(info):
            self.requests.append(request)
            return await self._denoise(request, on_draft)

    async def generate(
        self, model: str, request: TextRequest, on_event: OnTextEvent | None = None
    ) -> TextResult:
        info = self.model(model)
        with self._under_way(info):
            self.text_requests.append(request)
            return await self._generate(info.canvas_length, request, on_event or (lambda _: None))

    async def ended(self) -> None:
        await self.end.wait()

    @contextmanager
    def _under_way(self, info: ModelInfo) -> Iterator[None]:
        if self.error is not None:
            raise self.error
        if self.running >= info.max_queue:
            raise EngineOverloadedError("full")
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            yield
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def _generate(
        self, length: int, request: TextRequest, on_event: OnTextEvent
    ) -> TextResult:
        """Canvases show what is written, then an end token, then rubbish."""
        written = np.array(self.writes[: request.max_tokens], np.int64)
        ends = len(self.writes) < request.max_tokens
        shown = np.concatenate([written, [*request.eos_token_ids[:1]] * ends]).astype(np.int64)
        canvases = max(1, math.ceil(len(shown) / length))
        for block in range(canvases):
            here = slice(block * length, (block + 1) * length)
            tokens = np.full(length, 9, np.int64)
            tokens[: len(shown[here])] = shown[here]
            for step in range(1, self.steps + 1):
                await asyncio.sleep(self.step_s)
                accepted, entropy = np.arange(length) < step, np.full(length, 0.25, np.float32)
                on_event(CanvasDraft(block, Draft(step, tokens, accepted, entropy)))
            on_event(CanvasCommit(block, written[here], FinishReason.STABLE, self.steps))
        return TextResult(
            tokens=written,
            entropy=np.full(len(written), 0.25, np.float32),
            candidate_mass=np.ones(len(written), np.float32),
            finish=TextFinish.END_OF_TEXT if ends else TextFinish.MAX_TOKENS,
            canvases=canvases,
            steps=canvases * self.steps,
            queue_ms=1.5,
            compute_ms=2.5,
        )

    async def _denoise(self, request: CanvasRequest, on_draft: OnDraft | None) -> CanvasResult:
        tokens = self._tokens(request)
        entropy = np.full(request.length, 0.25, np.float32)
        accepted = np.ones(request.length, np.bool_)
        steps = min(self.steps, request.sampling.max_steps)
        for step in range(1, steps + 1):
            await asyncio.sleep(self.step_s)
            if on_draft is not None:
                on_draft(Draft(step, tokens, accepted, entropy))
        mass = np.full(request.length, 0.5, np.float32)
        return CanvasResult(tokens, entropy, mass, FinishReason.STABLE, steps, 1.5, 2.5)

    def _tokens(self, request: CanvasRequest) -> np.ndarray:
        clamped = request.clamps != FREE
        free = np.ones(request.length, np.int64)
        if request.domain is not None:
            free = request.domain.mask().argmax(axis=1)
        if self.right and request.length == 81:
            free = np.array(cells(SOLUTION))
        if self.shows is not None:
            free = np.array(self.shows)
        return np.where(clamped, request.clamps, free)
