"""Make an answer the best: ask for a better one until there is none.

Every step is a problem of its own for ``solvers.strategy``: fewer colours than the answer has, more
vertices than it chose. A step that is proved to have no answer proves that the one before is best.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from engine.client import EngineClient
from solvers.base import (
    CandidateDraft,
    Effort,
    Method,
    OnCandidateDraft,
    Outcome,
    Report,
    Solution,
    Solver,
)
from solvers.problem_error import ProblemError
from solvers.search_pool import SearchPool
from solvers.strategy import solve

P = TypeVar("P")
A = TypeVar("A")
P_co = TypeVar("P_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)

#: Told the problem that a draft is for, and the draft.
OnStepDraft = Callable[[P, CandidateDraft], None]


class Objective(Protocol[P_co, A_contra]):
    """What makes one answer better than another."""

    def better_than(self, answer: A_contra | None) -> P_co | None:
        """The problem whose answers are better than this one, or any at all for None.

        None where a bound says that there is none.
        """


@dataclass(frozen=True)
class Optimum(Generic[A]):
    """What is known of the best answer.

    Attributes:
        outcome: SOLVED with a checked answer, UNSATISFIABLE if there is none at all, else
            UNDECIDED.
        answer: the best found; the best draft if UNDECIDED.
        proved: whether none is better.
        report: how it was reached. Method and steps are those of the answer; canvases and times
            those of everything that was tried.
    """

    outcome: Outcome
    answer: A | None
    proved: bool
    report: Report


async def optimise(
    solver: Solver[P, A],
    objective: Objective[P, A],
    effort: Effort,
    engine: EngineClient,
    model: str,
    *,
    searches: SearchPool,
    incumbent: A | None = None,
    on_draft: OnStepDraft[P] | None = None,
    limit_s: float | None = None,
) -> Optimum[A]:
    """Find the best answer. Cancelling the awaiting task stops all work on it.

    Args:
        solver: the kind of problem.
        objective: what is better.
        effort: how hard to try at each step.
        engine: where canvases are denoised.
        model: name of a loaded checkpoint for this kind of problem.
        searches: where exact completion runs.
        incumbent: an answer to begin with, found by a greedy search and checked; None for none.
        on_draft: called with the drafts of every step.
        limit_s: seconds for all steps together; None for no limit but each search's own.

    Raises:
        UnknownModelError, EngineOverloadedError, EngineStoppedError: from the engine.
        ProblemError: see ``solve``; where there is an answer already, it is returned instead.
    """
    given = effort if effort.seed is not None else replace(effort, seed=secrets.randbits(62))
    ascent = _Ascent(solver, objective, given, engine, model, searches, on_draft, limit_s)
    return await ascent.run(incumbent)


@dataclass
class _Ascent(Generic[P, A]):
    """From answer to better answer."""

    solver: Solver[P, A]
    objective: Objective[P, A]
    effort: Effort
    engine: EngineClient
    model: str
    searches: SearchPool
    on_draft: OnStepDraft[P] | None
    limit_s: float | None
    started: float = field(default_factory=time.monotonic)
    reports: list[Report] = field(default_factory=list)

    async def run(self, incumbent: A | None) -> Optimum[A]:
        best, answered = incumbent, self._first_report(incumbent)
        while (problem := self.objective.better_than(best)) is not None:
            step = await self._step(problem, best is not None)
            if step is None:
                return self._optimum(Outcome.SOLVED, best, False, answered)
            self.reports.append(step.report)
            if step.outcome is Outcome.SOLVED:
                best, answered = step.answer, step.report
            elif best is not None:
                proved = step.outcome is Outcome.UNSATISFIABLE
                return self._optimum(Outcome.SOLVED, best, proved, answered)
            else:
                return self._optimum(step.outcome, step.answer, False, step.report)
        outcome = Outcome.UNSATISFIABLE if best is None else Outcome.SOLVED
        return self._optimum(outcome, best, best is not None, answered)

    async def _step(self, problem: P, has_answer: bool) -> Solution[A] | None:
        """Try for a better answer; None where there is one and this one can no longer be tried.

        Time ran out then, or no canvas can hold it and exact search is not allowed.
        """
        left = self._seconds_left()
        try:
            async with asyncio.timeout(left if has_answer else None) as patience:
                return await solve(
                    self.solver,
                    problem,
                    self.effort,
                    self.engine,
                    self.model,
                    searches=self.searches,
                    on_draft=self._shown(problem),
                    limit_s=left,
                )
        except TimeoutError:
            if not patience.expired():
                raise
        except ProblemError:
            if not has_answer:
                raise
        return None

    def _shown(self, problem: P) -> OnCandidateDraft | None:
        show = self.on_draft
        return None if show is None else lambda draft: show(problem, draft)

    def _seconds_left(self) -> float | None:
        if self.limit_s is None:
            return None
        return self.limit_s - (time.monotonic() - self.started)

    def _first_report(self, incumbent: A | None) -> Report:
        """Of an answer that no step found, or of there being none."""
        return Report(
            model=self.model,
            weights_digest=self.engine.model(self.model).weights_digest,
            method=None if incumbent is None else Method.LOCAL_SEARCH,
            seed=self.effort.seed or 0,
            steps=0,
            candidates=0,
            queue_ms=0.0,
            compute_ms=0.0,
        )

    def _optimum(
        self, outcome: Outcome, answer: A | None, proved: bool, answered: Report
    ) -> Optimum[A]:
        queue_ms = max((r.queue_ms for r in self.reports), default=0.0)
        total_ms = (time.monotonic() - self.started) * 1e3
        report = replace(
            answered,
            candidates=sum(r.candidates for r in self.reports),
            queue_ms=queue_ms,
            compute_ms=max(0.0, total_ms - queue_ms),
        )
        return Optimum(outcome, answer, proved, report)
