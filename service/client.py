"""A typed Python client: plain values in, frozen dataclasses out, exceptions for failed calls.

``InkfillClient`` is for asyncio, ``SyncInkfillClient`` for everything else. What a call raises is in
``service.client_errors``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import grpc
from inkfill.v1 import (
    canvas_pb2,
    canvas_pb2_grpc,
    common_pb2,
    models_pb2,
    models_pb2_grpc,
    sudoku_pb2,
    sudoku_pb2_grpc,
)

from engine.canvas import SamplingParams
from service.client_errors import InkfillError, from_rpc_error, from_status
from service.loop_thread import LoopThread
from solvers.base import Effort, Method, Outcome
from solvers.sudoku.problem import SudokuProblem
from solvers.sudoku.text import parse_puzzle

T = TypeVar("T")

#: Cells row by row (0 for a blank) or the text of a puzzle.
Puzzle = str | Sequence[int]


@dataclass(frozen=True)
class CallReport:
    """How an answer was reached; see ``Report`` in common.proto."""

    model: str
    weights_digest: str
    method: Method | None
    seed: int
    steps: int
    candidates: int
    queue_ms: float
    compute_ms: float


@dataclass(frozen=True)
class SudokuAnswer:
    """What is known of a puzzle.

    Attributes:
        outcome: SOLVED, UNSATISFIABLE or UNDECIDED.
        cells: row by row; the solution, the best draft, or empty.
        conflicts: cells of clues that contradict each other.
        unique: whether the solution is the only one; None if that was not asked or not proved.
        report: how it was reached.
    """

    outcome: Outcome
    cells: tuple[int, ...]
    conflicts: tuple[int, ...]
    unique: bool | None
    report: CallReport


@dataclass(frozen=True)
class SudokuDraft:
    """The canvas after a denoising step; see ``SolveDraft`` in sudoku.proto."""

    step: int
    cells: tuple[int, ...]
    accepted: tuple[bool, ...]
    entropy: tuple[float, ...]
    candidate: int
    method: Method | None


@dataclass(frozen=True)
class DenoisedCanvas:
    """A denoised canvas; see ``DenoiseResponse`` in canvas.proto."""

    tokens: tuple[int, ...]
    entropy: tuple[float, ...]
    candidate_mass: tuple[float, ...]
    finish_reason: str
    report: CallReport


class InkfillClient:
    """Calls a server from asyncio. An async context manager.

    Args:
        address: ``host:port``.
        timeout: seconds for each call; None waits.
    """

    def __init__(self, address: str, timeout: float | None = None) -> None:
        self.timeout = timeout
        self._channel = grpc.aio.insecure_channel(address)
        self._sudoku = sudoku_pb2_grpc.SudokuStub(self._channel)
        self._canvas = canvas_pb2_grpc.CanvasStub(self._channel)
        self._models = models_pb2_grpc.ModelsStub(self._channel)

    async def __aenter__(self) -> InkfillClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._channel.close()

    async def solve_sudoku(
        self,
        puzzle: Puzzle,
        *,
        box: tuple[int, int] | None = None,
        effort: Effort | None = None,
        prove_unique: bool = False,
    ) -> SudokuAnswer:
        """Solve one puzzle.

        Args:
            puzzle: cells row by row or their text.
            box: rows and columns of a box; None takes 3 x 3 for cells, and for text what its
                length says.
            effort: how hard to try; None for the defaults.
            prove_unique: also prove whether the solution is the only one.

        Raises:
            ProblemError: the text is no puzzle.
            InkfillError: the call failed.
        """
        request = sudoku_request(puzzle, box, effort, prove_unique)
        return _answer(await _call(self._sudoku.Solve(request, timeout=self.timeout)))

    async def stream_sudoku(
        self,
        puzzle: Puzzle,
        *,
        box: tuple[int, int] | None = None,
        effort: Effort | None = None,
        prove_unique: bool = False,
    ) -> AsyncIterator[SudokuDraft | SudokuAnswer]:
        """Like ``solve_sudoku``, with every draft before the answer."""
        request = sudoku_request(puzzle, box, effort, prove_unique)
        with _errors():
            async for event in self._sudoku.SolveStream(request, timeout=self.timeout):
                yield _answer(event.response) if event.HasField("response") else _draft(event.draft)

    async def solve_many_sudoku(
        self,
        puzzles: Mapping[str, Puzzle],
        *,
        box: tuple[int, int] | None = None,
        effort: Effort | None = None,
    ) -> AsyncIterator[tuple[str, SudokuAnswer | InkfillError]]:
        """Solve puzzles by id in one call; answers come as they finish, an error for a bad one."""

        async def requests() -> AsyncIterator[sudoku_pb2.SolveManyRequest]:
            for name, puzzle in puzzles.items():
                request = sudoku_request(puzzle, box, effort, prove_unique=False)
                yield sudoku_pb2.SolveManyRequest(id=name, request=request)

        with _errors():
            async for reply in self._sudoku.SolveMany(requests(), timeout=self.timeout):
                failed = reply.HasField("error")
                yield reply.id, from_status(reply.error) if failed else _answer(reply.response)

    async def denoise(
        self,
        model: str,
        length: int,
        *,
        clamps: Mapping[int, int] | None = None,
        domains: Iterable[tuple[Sequence[int], Sequence[int]]] = (),
        prompt: Sequence[int] = (),
        sampling: SamplingParams | None = None,
        seed: int | None = None,
    ) -> DenoisedCanvas:
        """Denoise a canvas of a text checkpoint.

        Args:
            model: name of a loaded model.
            length: of the canvas, tokens.
            clamps: position -> token.
            domains: (positions, tokens that they may take) pairs.
            prompt: tokens before the canvas.
            sampling: the knobs; None for the model's defaults.
            seed: of the noise; None draws one.

        Raises:
            InkfillError: the call failed.
        """
        request = canvas_pb2.DenoiseRequest(
            model=model,
            length=length,
            prompt_tokens=prompt,
            clamps=[canvas_pb2.Clamp(position=p, token=t) for p, t in (clamps or {}).items()],
            domains=[canvas_pb2.Domain(positions=p, tokens=t) for p, t in domains],
            sampling=_sampling(sampling, seed),
        )
        return _canvas(await _call(self._canvas.Denoise(request, timeout=self.timeout)))

    async def models(self) -> Sequence[models_pb2.Model]:
        """The loaded models, as the messages of models.proto."""
        request = models_pb2.ListModelsRequest()
        response = await _call(self._models.List(request, timeout=self.timeout))
        return tuple(response.models)


class SyncInkfillClient:
    """``InkfillClient`` for code without an event loop. A context manager."""

    def __init__(self, address: str, timeout: float | None = None) -> None:
        self._loop = LoopThread()
        self._client = self._loop.call(_open(address, timeout))

    def __enter__(self) -> SyncInkfillClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread behind it."""
        self._loop.call(self._client.close())
        self._loop.stop()

    def solve_sudoku(self, puzzle: Puzzle, **options: Any) -> SudokuAnswer:
        """See ``InkfillClient.solve_sudoku``."""
        return self._loop.call(self._client.solve_sudoku(puzzle, **options))

    def stream_sudoku(
        self, puzzle: Puzzle, **options: Any
    ) -> Iterator[SudokuDraft | SudokuAnswer]:
        """See ``InkfillClient.stream_sudoku``."""
        return self._loop.iterate(self._client.stream_sudoku(puzzle, **options))

    def solve_many_sudoku(
        self, puzzles: Mapping[str, Puzzle], **options: Any
    ) -> Iterator[tuple[str, SudokuAnswer | InkfillError]]:
        """See ``InkfillClient.solve_many_sudoku``."""
        return self._loop.iterate(self._client.solve_many_sudoku(puzzles, **options))

    def denoise(self, model: str, length: int, **options: Any) -> DenoisedCanvas:
        """See ``InkfillClient.denoise``."""
        return self._loop.call(self._client.denoise(model, length, **options))

    def models(self) -> Sequence[models_pb2.Model]:
        """See ``InkfillClient.models``."""
        return self._loop.call(self._client.models())


def sudoku_request(
    puzzle: Puzzle, box: tuple[int, int] | None, effort: Effort | None, prove_unique: bool
) -> sudoku_pb2.SolveRequest:
    """The message for a puzzle. Cells are not checked here: that is the server's to do."""
    if isinstance(puzzle, str):
        problem: SudokuProblem = parse_puzzle(puzzle, *(box or (None, None)))
        puzzle, box = problem.cells, (problem.geometry.box_rows, problem.geometry.box_cols)
    rows, cols = box or (None, None)
    return sudoku_pb2.SolveRequest(
        cells=puzzle,
        box_rows=rows,
        box_cols=cols,
        effort=_effort(effort or Effort()),
        prove_unique=prove_unique,
    )


def _effort(effort: Effort) -> common_pb2.Effort:
    return common_pb2.Effort(
        max_steps=effort.max_steps,
        candidates=effort.candidates,
        seed=effort.seed,
        guidance=effort.guidance.name,
        exact_fallback=effort.exact_fallback,
    )


def _sampling(params: SamplingParams | None, seed: int | None) -> canvas_pb2.Sampling:
    if params is None:
        return canvas_pb2.Sampling(seed=seed)
    return canvas_pb2.Sampling(
        max_steps=params.max_steps,
        t_min=params.t_min,
        t_max=params.t_max,
        entropy_bound=params.entropy_bound,
        stability=params.stability,
        confidence=params.confidence,
        seed=seed,
    )


def _answer(response: sudoku_pb2.SolveResponse) -> SudokuAnswer:
    return SudokuAnswer(
        outcome=Outcome[common_pb2.Outcome.Name(response.outcome)],
        cells=tuple(response.cells),
        conflicts=tuple(response.conflicts),
        unique=response.unique if response.HasField("unique") else None,
        report=_report(response.report),
    )


def _draft(draft: sudoku_pb2.SolveDraft) -> SudokuDraft:
    return SudokuDraft(
        step=draft.step,
        cells=tuple(draft.cells),
        accepted=tuple(draft.accepted),
        entropy=tuple(draft.entropy),
        candidate=draft.candidate,
        method=_method(draft.method),
    )


def _canvas(response: canvas_pb2.DenoiseResponse) -> DenoisedCanvas:
    return DenoisedCanvas(
        tokens=tuple(response.tokens),
        entropy=tuple(response.entropy),
        candidate_mass=tuple(response.candidate_mass),
        finish_reason=canvas_pb2.FinishReason.Name(response.finish_reason),
        report=_report(response.report),
    )


def _report(report: common_pb2.Report) -> CallReport:
    return CallReport(
        model=report.model,
        weights_digest=report.weights_digest,
        method=_method(report.method),
        seed=report.seed,
        steps=report.steps,
        candidates=report.candidates,
        queue_ms=report.queue_ms,
        compute_ms=report.compute_ms,
    )


def _method(value: common_pb2.Method) -> Method | None:
    return Method[common_pb2.Method.Name(value)] if value else None


async def _open(address: str, timeout: float | None) -> InkfillClient:
    return InkfillClient(address, timeout)


async def _call(call: Awaitable[T]) -> T:
    with _errors():
        return await call


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
