"""How the engine is called: a small protocol, so that it can live in another process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.canvas import CanvasRequest, CanvasResult, Draft
from engine.text.request import CanvasCommit, CanvasDraft, TextRequest, TextResult

OnDraft = Callable[[Draft], None]
#: What is seen of a text before it is finished.
TextEvent = CanvasDraft | CanvasCommit
OnTextEvent = Callable[[TextEvent], None]


class UnknownModelError(LookupError):
    """No model of that name is loaded; carries the names that are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"model {name!r} is not loaded; loaded: {', '.join(known) or 'none'}")
        self.name = name
        self.known = tuple(known)


class EngineOverloadedError(RuntimeError):
    """The queue is full; try again later."""


class EngineStoppedError(RuntimeError):
    """The engine takes no canvas any more: it is shutting down, or has failed."""


class DenoisingError(RuntimeError):
    """A step failed by a fault of the engine's; other canvases go on."""


@dataclass(frozen=True)
class ModelInfo:
    """What a caller may know of a loaded model.

    Attributes:
        name: what requests call it.
        task: ``sudoku``, ``coloring``, ``text`` ...
        parameters: count.
        weights_digest: sha256 of the weights, hexadecimal.
        device: ``cpu`` or ``cuda:0``.
        precision: of its matrices, ``float32``, ``bfloat16``, ``fp8``, ``int8`` or ``int4``.
        canvas_length: longest canvas, tokens.
        vocabulary: V.
        max_batch: canvases denoised together at most.
        max_queue: canvases that may wait.
        max_context: tokens of a prompt and of what is generated after it, whole canvases
            together; 0 for a model that takes no prompt.
    """

    name: str
    task: str
    parameters: int
    weights_digest: str
    device: str
    precision: str
    canvas_length: int
    vocabulary: int
    max_batch: int
    max_queue: int
    max_context: int = 0


class EngineClient(Protocol):
    """What solvers and servicers need of an engine."""

    def models(self) -> Sequence[ModelInfo]:
        """The loaded models, in the order in which they were loaded."""

    def model(self, name: str) -> ModelInfo:
        """One model, by name. Raises: UnknownModelError."""

    async def denoise(
        self, model: str, request: CanvasRequest, on_draft: OnDraft | None = None
    ) -> CanvasResult:
        """Denoise one canvas.

        Cancelling the awaiting task takes the canvas out of the batch before another step.

        Args:
            model: name of a loaded model.
            request: the canvas.
            on_draft: called in the caller's event loop after every step, in order.

        Raises:
            UnknownModelError: no such model.
            CanvasError: the request does not fit the model.
            EngineOverloadedError: the queue is full.
            EngineStoppedError: the engine is stopping or has failed.
            DenoisingError: a step failed.
        """

    async def generate(
        self, model: str, request: TextRequest, on_event: OnTextEvent | None = None
    ) -> TextResult:
        """Generate a text, canvas after canvas.

        Cancelling the awaiting task takes the running canvas out of the batch before another
        step.

        Args:
            model: name of a loaded model that takes prompts.
            request: the text.
            on_event: called in the caller's event loop after every step and with every canvas
                that is committed, in order.

        Raises:
            UnknownModelError: no such model.
            CanvasError: the request does not fit the model, or the model generates no text.
            EngineOverloadedError: the queue is full.
            EngineStoppedError: the engine is stopping or has failed.
            DenoisingError: a step failed.
        """

    async def ended(self) -> None:
        """Return once the engine takes no canvas any more, because it was stopped or failed.

        Each canvas under way has an answer or an EngineStoppedError then. It is for good.
        """
