"""Answers get better until a bound, a proof, a failure or the deadline ends it."""

import asyncio
from dataclasses import dataclass

import numpy as np
import pytest

from engine.canvas import CanvasRequest
from solvers.base import Completion, Effort, Method, Outcome
from solvers.optimise import Optimum, optimise
from solvers.search_pool import SearchPool
from tests.solvers.test_strategy import RiddleSolver, Script, ScriptedEngine

NONE = Completion[int](Outcome.UNSATISFIABLE)


@dataclass(frozen=True)
class Wish:
    """A riddle whose answer is a number of at least ``least``."""

    least: int
    contradictory: bool = False
    too_large: bool = False
    endless: bool = False
    exact: Completion[int] = NONE


@dataclass
class WishSolver(RiddleSolver):
    def check(self, problem: Wish, answer: int) -> bool:  # type: ignore[override]
        return answer >= problem.least

    def layout(self, problem: Wish) -> CanvasRequest:  # type: ignore[override]
        return CanvasRequest(clamps=np.array([-1], np.int64), prompt=(problem.least,))


@dataclass(frozen=True)
class More:
    """Larger numbers are better, up to ``bound``."""

    bound: int = 9
    exact: Completion[int] = NONE

    def better_than(self, answer: int | None) -> Wish | None:
        least = 1 if answer is None else answer + 1
        return None if least > self.bound else Wish(least, exact=self.exact)


def run(script: Script, objective: More, incumbent: int | None = None, **options) -> Optimum[int]:
    engine = ScriptedEngine(script)

    async def work() -> Optimum[int]:
        with SearchPool(1) as searches:
            return await optimise(
                WishSolver(), objective, options.pop("effort", Effort(seed=1)), engine, "m",
                searches=searches, incumbent=incumbent, **options,
            )  # fmt: skip

    return asyncio.run(work())


def upto(most: int) -> Script:
    """A model that gives what it is asked for, up to ``most``."""
    return lambda request: (2, min(most, request.prompt[0]), 0.0)


def test_answers_are_improved_until_a_step_is_proved_to_have_none() -> None:
    found = run(upto(5), More())
    assert (found.outcome, found.answer, found.proved) == (Outcome.SOLVED, 5, True)
    assert found.report.method is Method.DIFFUSION
    assert found.report.candidates > 5


def test_a_bound_proves_without_a_step() -> None:
    found = run(upto(0), More(bound=4), incumbent=4)
    assert (found.outcome, found.answer, found.proved) == (Outcome.SOLVED, 4, True)
    assert (found.report.method, found.report.candidates) == (Method.LOCAL_SEARCH, 0)


def test_what_is_left_undecided_is_not_proved() -> None:
    found = run(upto(5), More(exact=Completion(Outcome.UNDECIDED)))
    assert (found.outcome, found.answer, found.proved) == (Outcome.SOLVED, 5, False)


def test_an_incumbent_is_the_answer_where_nothing_better_is_found() -> None:
    found = run(upto(0), More(), incumbent=3)
    assert (found.answer, found.proved) == (3, True)
    assert found.report.method is Method.LOCAL_SEARCH


def test_no_answer_at_all_is_unsatisfiable_if_proved_and_else_undecided() -> None:
    assert run(upto(0), More()).outcome is Outcome.UNSATISFIABLE
    left = run(upto(0), More(exact=Completion(Outcome.UNDECIDED)))
    assert (left.outcome, left.proved) == (Outcome.UNDECIDED, False)
    assert run(upto(0), More(bound=0)).outcome is Outcome.UNSATISFIABLE


def test_exact_answers_count_too() -> None:
    found = run(upto(2), More(bound=3, exact=Completion(Outcome.SOLVED, 3, Method.LOCAL_SEARCH)))
    assert (found.answer, found.proved) == (3, True)
    assert found.report.method is Method.LOCAL_SEARCH


def test_time_that_is_up_leaves_the_best_answer() -> None:
    found = run(upto(5), More(), incumbent=2, limit_s=0.0)
    assert (found.outcome, found.answer, found.proved) == (Outcome.SOLVED, 2, False)


def test_all_steps_share_one_seed_which_the_report_names() -> None:
    found = run(upto(3), More(), effort=Effort())
    assert (
        found.report.seed == run(upto(3), More(), effort=Effort(seed=found.report.seed)).report.seed
    )


def test_drafts_come_with_the_problem_that_they_are_for() -> None:
    shown: list[tuple[int, int]] = []
    run(upto(3), More(), on_draft=lambda wish, draft: shown.append((wish.least, draft.draft.step)))
    assert {least for least, _ in shown} >= {1, 2, 3}
    assert [least for least, _ in shown] == sorted(least for least, _ in shown)


@pytest.mark.parametrize("guess", [1, 7])
def test_a_step_may_leap(guess: int) -> None:
    found = run(lambda r: (1, max(guess, r.prompt[0]) if r.prompt[0] <= 7 else 0, 0.0), More())
    assert (found.answer, found.proved) == (7, True)
