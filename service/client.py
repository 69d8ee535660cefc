"""A typed Python client: plain values in, frozen dataclasses out, exceptions for failed calls.

``InkfillClient`` is for asyncio, ``SyncInkfillClient`` for everything else. What goes in and comes
out is in ``service.client_messages``, what a call raises in ``service.client_errors``. The calls of
the canvas service are in ``service.client_canvas``, those of graphs in ``service.client_graph``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Unpack

import grpc
from inkfill.v1 import (
    canvas_pb2_grpc,
    graph_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    sudoku_pb2,
    sudoku_pb2_grpc,
)

from engine.client import ModelInfo
from service.client_calls import answer_of, events_of
from service.client_canvas import CanvasCalls, SyncCanvasCalls
from service.client_errors import InkfillError, from_status
from service.client_graph import GraphCalls, SyncGraphCalls
from service.client_messages import (
    Puzzle,
    SudokuAnswer,
    SudokuDraft,
    SudokuOptions,
    model_info,
    solve_request,
    sudoku_answer,
    sudoku_event,
)
from service.loop_thread import LoopThread


class InkfillClient(CanvasCalls, GraphCalls):
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
        self._graph = graph_pb2_grpc.GraphStub(self._channel)
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

    async def solve_sudoku(self, puzzle: Puzzle, **options: Unpack[SudokuOptions]) -> SudokuAnswer:
        """Solve one puzzle.

        Args:
            puzzle: its text, or its cells row by row with 0 for a blank.
            options: any of these, all by name:

                * ``seed``: of the noise, 0 to 2^63 - 1; the same seed gives the same answer. By
                  default the server draws one, which the report names.
                * ``guidance``: ``Guidance.AUTO`` (the default), ``NONE`` or ``PROPAGATE``.
                * ``max_steps``: denoising steps of each candidate, 1 to 1024; by default the
                  solver chooses.
                * ``candidates``: canvases denoised for each kind of guidance, 1 to 256; by default
                  the solver chooses.
                * ``exact_fallback``: whether exact search may follow when diffusion found no
                  answer; by default it may.
                * ``effort``: the five above as one ``Effort``; those given by name win.
                * ``prove_unique``: whether to find out if there is another answer; by default not.
                * ``box``: rows and columns of a box; by default 3 x 3 for cells, and for text what
                  the number of its cells says.

        Raises:
            ProblemError: the text is no puzzle.
            EffortError: a number of the effort is out of range.
            InkfillError: the call failed.
        """
        request = solve_request(puzzle, **options)
        return sudoku_answer(await answer_of(self._sudoku.Solve(request, timeout=self.timeout)))

    async def stream_sudoku(
        self, puzzle: Puzzle, **options: Unpack[SudokuOptions]
    ) -> AsyncGenerator[SudokuDraft | SudokuAnswer, None]:
        """Like ``solve_sudoku``, with its options: the drafts in order, then the answer."""
        request = solve_request(puzzle, **options)
        call = self._sudoku.SolveStream(request, timeout=self.timeout)
        async with aclosing(events_of(call)) as events:
            async for event in events:
                yield sudoku_event(event)

    async def solve_many_sudoku(
        self, puzzles: Mapping[str, Puzzle], **options: Unpack[SudokuOptions]
    ) -> AsyncGenerator[tuple[str, SudokuAnswer | InkfillError], None]:
        """Solve puzzles by id in one call; answers come as they finish, an error for a bad one.

        The options are those of ``solve_sudoku`` and hold for every puzzle.

        Raises:
            ProblemError: a text is no puzzle; nothing has been sent then.
            InkfillError: the call as a whole failed.
        """
        requests = [
            sudoku_pb2.SolveManyRequest(id=name, request=solve_request(puzzle, **options))
            for name, puzzle in puzzles.items()
        ]
        call = self._sudoku.SolveMany(iter(requests), timeout=self.timeout)
        async with aclosing(events_of(call)) as replies:
            async for reply in replies:
                failed = reply.HasField("error")
                yield (
                    reply.id,
                    from_status(reply.error) if failed else sudoku_answer(reply.response),
                )

    async def models(self) -> Sequence[ModelInfo]:
        """The loaded models."""
        request = models_pb2.ListModelsRequest()
        response = await answer_of(self._models.List(request, timeout=self.timeout))
        return tuple(model_info(model) for model in response.models)

    async def model(self, name: str) -> ModelInfo:
        """One loaded model.

        Raises:
            ModelNotFoundError: none of that name is loaded.
        """
        request = models_pb2.GetModelRequest(name=name)
        return model_info(await answer_of(self._models.Get(request, timeout=self.timeout)))


class SyncInkfillClient(SyncCanvasCalls, SyncGraphCalls):
    """``InkfillClient`` for code without an event loop. A context manager.

    A stream that is not read to its end is cancelled when its iterator is closed or collected.
    """

    def __init__(self, address: str, timeout: float | None = None) -> None:
        self._loop = LoopThread()
        self._client: InkfillClient = self._loop.call(_open(address, timeout))

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
        """Close the connection and end the thread behind it. Idempotent."""
        if self._loop.running:
            self._loop.call(self._client.close())
            self._loop.stop()

    def solve_sudoku(self, puzzle: Puzzle, **options: Unpack[SudokuOptions]) -> SudokuAnswer:
        """See ``InkfillClient.solve_sudoku``."""
        return self._loop.call(self._client.solve_sudoku(puzzle, **options))

    def stream_sudoku(
        self, puzzle: Puzzle, **options: Unpack[SudokuOptions]
    ) -> Iterator[SudokuDraft | SudokuAnswer]:
        """See ``InkfillClient.stream_sudoku``."""
        return self._loop.iterate(self._client.stream_sudoku(puzzle, **options))

    def solve_many_sudoku(
        self, puzzles: Mapping[str, Puzzle], **options: Unpack[SudokuOptions]
    ) -> Iterator[tuple[str, SudokuAnswer | InkfillError]]:
        """See ``InkfillClient.solve_many_sudoku``."""
        return self._loop.iterate(self._client.solve_many_sudoku(puzzles, **options))

    def models(self) -> Sequence[ModelInfo]:
        """See ``InkfillClient.models``."""
        return self._loop.call(self._client.models())

    def model(self, name: str) -> ModelInfo:
        """See ``InkfillClient.model``."""
        return self._loop.call(self._client.model(name))


async def _open(address: str, timeout: float | None) -> InkfillClient:
    """Make a client where its event loop runs."""
    return InkfillClient(address, timeout)
