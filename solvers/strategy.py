"""The one strategy of every solver: validate, denoise, check, complete.

1. Givens that contradict each other are UNSATISFIABLE at once.
2. Candidates are denoised under each kind of guidance that the effort allows, the unguided first.
3. The first answer that passes the check is SOLVED: fewest steps, then lowest candidate, so that
   the choice does not depend on timing.
4. No answer: exact completion, if allowed, with the belief of the best candidate as hints.
   A problem that the model's canvas cannot hold comes to this at once.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

import structlog

from engine.canvas import CanvasRequest, CanvasResult, Draft, FinishReason
from engine.client import EngineClient
from solvers.base import (
    CandidateDraft,
    Completion,
    Effort,
    Guidance,
    Method,
    OnCandidateDraft,
    Outcome,
    Report,
    Solution,
    Solver,
)
from solvers.problem_error import ProblemError
from solvers.search_pool import SearchPool

log = structlog.get_logger(__name__)

P = TypeVar("P")
A = TypeVar("A")


async def solve(
    solver: Solver[P, A],
    problem: P,
    effort: Effort,
    engine: EngineClient,
    model: str,
    *,
    searches: SearchPool,
    on_draft: OnCandidateDraft | None = None,
    limit_s: float | None = None,
) -> Solution[A]:
    """Answer a problem. Cancelling the awaiting task stops all work on it.

    Args:
        solver: the kind of problem.
        problem: valid by construction.
        effort: how hard to try.
        engine: where canvases are denoised.
        model: name of a loaded checkpoint for this kind of problem.
        searches: where exact completion runs.
        on_draft: called with the drafts of the leading candidate, in order.
        limit_s: seconds that the caller will wait; None waits for the whole effort.

    Raises:
        UnknownModelError, EngineOverloadedError, EngineStoppedError: from the engine.
        ProblemError: on ``effort.exact_fallback``, where the model's canvas cannot hold the problem
            and exact completion is not allowed.
    """
    attempt = _Attempt(solver, problem, effort, engine, model, searches, on_draft, limit_s)
    return await attempt.run()


@dataclass
class _Attempt(Generic[P, A]):
    """One problem on its way to an answer."""

    solver: Solver[P, A]
    problem: P
    effort: Effort
    engine: EngineClient
    model: str
    searches: SearchPool
    on_draft: OnCandidateDraft | None
    limit_s: float | None
    results: list[CanvasResult] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        seed = self.effort.seed
        self.seed = secrets.randbits(62) if seed is None else seed
        self.group = secrets.randbits(62) + 1  # its canvases' share of the batch

    async def run(self) -> Solution[A]:
        if self.solver.contradiction(self.problem):
            return self._solution(Outcome.UNSATISFIABLE, None, None)
        for method, request in await self._requests():
            answered = await self._denoise(request, method)
            if answered is not None:
                answer, steps = answered
                return self._solution(Outcome.SOLVED, answer, method, steps)
            if self.results[-1].reason is FinishReason.CONTRADICTION:
                return self._solution(Outcome.UNSATISFIABLE, None, method)
        best = await self._best()
        if self.effort.exact_fallback:
            completion = await self._complete(best)
            if completion is not None and completion.outcome is not Outcome.UNDECIDED:
                return self._solution(completion.outcome, completion.answer, completion.method)
        draft = None if best is None else self.solver.decode(self.problem, best.tokens)
        return self._solution(Outcome.UNDECIDED, draft, None)

    def _fitting_methods(self) -> Sequence[Method]:
        """The kinds of guidance to denoise under: none if the model cannot hold the problem."""
        misfit = self.solver.misfit(self.problem, self.engine.model(self.model))
        if misfit is None:
            return _methods(self.effort.guidance)
        if not self.effort.exact_fallback:
            raise ProblemError("effort.exact_fallback", f"got false, but {misfit}; accepted: true")
        return ()

    async def _best(self) -> CanvasResult | None:
        """The candidate that came nearest; None if there was none."""

        def order(result: CanvasResult) -> tuple[float, tuple[int, ...]]:
            return self.solver.badness(self.problem, result), tuple(result.tokens)

        if self.solver.slow_layout:  # then so is looking at many drafts
            return await asyncio.to_thread(min, self.results, key=order, default=None)
        return min(self.results, key=order, default=None)

    async def _requests(self) -> Sequence[tuple[Method, CanvasRequest]]:
        """The canvas of the problem under each kind of guidance."""
        if not (methods := self._fitting_methods()):
            return ()
        if self.solver.slow_layout:
            layout = await asyncio.to_thread(self.solver.layout, self.problem)
        else:
            layout = self.solver.layout(self.problem)
        return [(method, self._request(layout, method)) for method in methods]

    def _request(self, layout: CanvasRequest, method: Method) -> CanvasRequest:
        """The canvas of the problem as the method and the effort want it."""
        last = not self.effort.exact_fallback and method is _methods(self.effort.guidance)[-1]
        steps = self.effort.max_steps or self.solver.default_steps(method, last)
        return replace(
            layout,
            sampling=replace(layout.sampling, max_steps=steps),
            seed=self.seed,
            guided=method is Method.GUIDED_DIFFUSION,
            wants_belief=self.effort.exact_fallback,
        )

    async def _denoise(self, request: CanvasRequest, method: Method) -> tuple[A, int] | None:
        """Run all candidates of one method; the best checked answer and its steps, or None."""
        count = self.effort.candidates or self.solver.default_candidates
        race = _Race(count, method, self.on_draft)
        canvases = [replace(request, candidate=i, group=self.group) for i in range(count)]
        tasks = [asyncio.ensure_future(self._candidate(race, canvas)) for canvas in canvases]
        race.tasks = tasks
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
        failures = [t.exception() for t in tasks if t.done() and not t.cancelled()]
        for failure in filter(None, failures):
            raise failure
        if race.best is None:
            return None
        steps, index = race.best
        return self.solver.decode(self.problem, tasks[index].result().tokens), steps

    async def _candidate(self, race: _Race, request: CanvasRequest) -> CanvasResult:
        index = request.candidate
        on_draft = partial(race.report, index) if race.listens else None
        result = await self.engine.denoise(self.model, request, on_draft)
        self.results.append(result)
        answer = self.solver.decode(self.problem, result.tokens)
        race.finish(index, result.steps, self.solver.check(self.problem, answer))
        return result

    async def _complete(self, best: CanvasResult | None) -> Completion[A] | None:
        """Search exactly; None if it did not come to that in time, or what it found is wrong."""
        belief = None if best is None else best.belief
        search = partial(self.solver.complete, self.problem, belief, self.seed)
        completion = await self.searches.run(search, self._seconds_left())
        if completion is None or completion.answer is None:
            return completion
        if self.solver.check(self.problem, completion.answer):
            return completion
        log.error("exact_answer_is_wrong", model=self.model, seed=self.seed)
        return None

    def _seconds_left(self) -> float | None:
        if self.limit_s is None:
            return None
        return self.limit_s - (time.monotonic() - self.started)

    def _solution(
        self,
        outcome: Outcome,
        answer: A | None,
        method: Method | None,
        steps: int | None = None,
    ) -> Solution[A]:
        """What is returned; ``steps`` of the candidate that answered, None when none did."""
        queue_ms = max((r.queue_ms for r in self.results), default=0.0)
        total_ms = (time.monotonic() - self.started) * 1e3
        info = self.engine.model(self.model)
        return Solution(
            outcome,
            answer,
            Report(
                model=self.model,
                weights_digest=info.weights_digest,
                method=method,
                seed=self.seed,
                steps=sum(r.steps for r in self.results) if steps is None else steps,
                candidates=len(self.results),
                queue_ms=queue_ms,
                compute_ms=max(0.0, total_ms - queue_ms),
            ),
        )


@dataclass
class _Race:
    """Candidates of one method, of which the one with fewest steps answers.

    A candidate that can no longer be the best is cancelled; one that still could goes on, so that
    the winner is the same however the engine interleaves them.
    """

    count: int
    method: Method
    on_draft: OnCandidateDraft | None
    tasks: Sequence[asyncio.Future[CanvasResult]] = ()
    best: tuple[int, int] | None = None  # steps, candidate

    def __post_init__(self) -> None:
        self.running = dict.fromkeys(range(self.count), 0)  # candidate -> steps so far

    @property
    def listens(self) -> bool:
        """Whether drafts matter: to a caller, or to see which candidates are beaten."""
        return self.on_draft is not None or self.count > 1

    def report(self, index: int, draft: Draft) -> None:
        self.running[index] = draft.step
        if self.on_draft is not None and index == min(self.running):
            self.on_draft(CandidateDraft(index, self.method, draft))
        self._drop_beaten()

    def finish(self, index: int, steps: int, solved: bool) -> None:
        self.running.pop(index, None)
        if solved and (self.best is None or (steps, index) < self.best):
            self.best = (steps, index)
        self._drop_beaten()

    def _drop_beaten(self) -> None:
        if self.best is None:
            return
        for index, steps in list(self.running.items()):
            if (steps, index) > self.best:  # at these steps it may just have finished
                self.running.pop(index)
                self.tasks[index].cancel()


def _methods(guidance: Guidance) -> tuple[Method, ...]:
    return {
        Guidance.NONE: (Method.DIFFUSION,),
        Guidance.PROPAGATE: (Method.GUIDED_DIFFUSION,),
        Guidance.AUTO: (Method.DIFFUSION, Method.GUIDED_DIFFUSION),
    }[guidance]
