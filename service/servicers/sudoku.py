"""Sudoku over gRPC: messages into problems, solutions into messages."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc
from inkfill.v1 import common_pb2, sudoku_pb2, sudoku_pb2_grpc

from engine.client import EngineClient
from service.errors import invalid_argument, item_status
from service.messages import effort_from, method_to, report_to
from service.room import Room
from service.servicers.deadline import limit_s
from service.streams import Final, as_finished, drafts_of
from solvers.base import CandidateDraft, OnCandidateDraft, Outcome, Solution
from solvers.search_pool import SearchPool
from solvers.strategy import solve
from solvers.sudoku.exact import is_unique
from solvers.sudoku.geometry import MAX_SIZE
from solvers.sudoku.problem import Grid, SudokuProblem
from solvers.sudoku.solver import SudokuSolver

Context = grpc.aio.ServicerContext[Any, Any]


class SudokuServicer(sudoku_pb2_grpc.SudokuServicer):
    """Serves ``inkfill.v1.Sudoku`` with one loaded model.

    Attributes:
        engine: where canvases are denoised.
        model: name of a model whose task is ``sudoku``.
        searches: where exact completion and proofs run.
        max_in_flight: puzzles of one SolveMany call that are worked on together.
    """

    def __init__(
        self, engine: EngineClient, model: str, searches: SearchPool, max_in_flight: int
    ) -> None:
        self.engine = engine
        self.model = model
        self.searches = searches
        self.max_in_flight = max_in_flight
        self._solver = SudokuSolver()
        # All SolveMany calls together fill the queue and no more: their items wait for each other.
        self._room = Room(engine.model(model).max_queue)

    async def Solve(  # noqa: N802  # gRPC's name
        self, request: sudoku_pb2.SolveRequest, context: Context
    ) -> sudoku_pb2.SolveResponse:
        """See sudoku.proto."""
        return await self._answer(request, context)

    async def SolveStream(  # noqa: N802
        self, request: sudoku_pb2.SolveRequest, context: Context
    ) -> AsyncIterator[sudoku_pb2.SolveEvent]:
        """See sudoku.proto."""
        problem = problem_from(request)
        start = partial(self._answer, request, context)
        async with aclosing(drafts_of(start)) as events:
            async for event in events:
                yield self._event(problem, event)

    async def SolveMany(  # noqa: N802
        self, requests: AsyncIterable[sudoku_pb2.SolveManyRequest], context: Context
    ) -> AsyncIterator[sudoku_pb2.SolveManyResponse]:
        """See sudoku.proto."""

        async def answer(item: sudoku_pb2.SolveManyRequest) -> sudoku_pb2.SolveManyResponse:
            try:
                async with self._room.taken(self._candidates(item.request.effort)):
                    response = await self._answer(item.request, context)
            except Exception as error:  # noqa: BLE001  # one item must not end the others
                return sudoku_pb2.SolveManyResponse(id=item.id, error=item_status(error))
            return sudoku_pb2.SolveManyResponse(id=item.id, response=response)

        async with aclosing(as_finished(requests, answer, self.max_in_flight)) as replies:
            async for reply in replies:
                yield reply

    async def _answer(
        self,
        request: sudoku_pb2.SolveRequest,
        context: Context,
        on_draft: OnCandidateDraft | None = None,
    ) -> sudoku_pb2.SolveResponse:
        problem = problem_from(request)
        effort = effort_from(request.effort)
        self._check_fits(problem)
        solution = await solve(
            self._solver,
            problem,
            effort,
            self.engine,
            self.model,
            searches=self.searches,
            on_draft=on_draft,
            limit_s=limit_s(context),
        )
        response = response_of(problem, solution)
        if request.prove_unique and solution.outcome is Outcome.SOLVED:
            assert solution.answer is not None
            proof = partial(is_unique, problem, solution.answer)
            unique = await self.searches.run(proof, limit_s(context))
            if unique is not None:
                response.unique = unique
        return response

    def _candidates(self, effort: common_pb2.Effort) -> int:
        """Canvases that a puzzle has in the engine at once, if the effort is not refused."""
        return effort.candidates or self._solver.default_candidates

    def _check_fits(self, problem: SudokuProblem) -> None:
        longest = self.engine.model(self.model).canvas_length
        if problem.geometry.cells > longest:
            raise invalid_argument(
                "box_rows",
                f"boxes of {problem.geometry.box_rows} x {problem.geometry.box_cols} make "
                f"{problem.geometry.cells} cells, accepted: up to {longest}, the canvas of "
                f"{self.model}",
            )

    def _event(
        self,
        problem: SudokuProblem,
        event: CandidateDraft | Final[sudoku_pb2.SolveResponse],
    ) -> sudoku_pb2.SolveEvent:
        if isinstance(event, Final):
            return sudoku_pb2.SolveEvent(response=event.value)
        draft = event.draft
        return sudoku_pb2.SolveEvent(
            draft=sudoku_pb2.SolveDraft(
                step=draft.step,
                cells=self._solver.decode(problem, draft.tokens),
                accepted=draft.accepted.tolist(),
                entropy=draft.entropy.tolist(),
                candidate=event.candidate,
                method=method_to(event.method),
            )
        )


def problem_from(request: sudoku_pb2.SolveRequest) -> SudokuProblem:
    """The puzzle of a request.

    Raises:
        WireError, ProblemError: the box shape, the number of cells or a digit is out of range.
    """
    return SudokuProblem.create(
        request.cells, _box_side(request, "box_rows"), _box_side(request, "box_cols")
    )


def response_of(problem: SudokuProblem, solution: Solution[Grid]) -> sudoku_pb2.SolveResponse:
    """The message of a solution."""
    unsatisfiable = solution.outcome is Outcome.UNSATISFIABLE
    return sudoku_pb2.SolveResponse(
        outcome=solution.outcome.name,
        cells=solution.answer or (),
        conflicts=problem.conflicts() if unsatisfiable else (),
        report=report_to(solution.report),
    )


def _box_side(request: sudoku_pb2.SolveRequest, name: str) -> int:
    if not request.HasField(name):
        return 3
    side = int(getattr(request, name))
    if not 1 <= side <= MAX_SIZE:
        raise invalid_argument(name, f"got {side}, accepted: 1 to {MAX_SIZE}")
    return side
