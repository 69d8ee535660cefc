"""The strategy with a scripted engine: order, checking, choosing, completing."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from engine.canvas import CanvasRequest, CanvasResult, Draft, FinishReason, Floats, Tokens
from engine.client import EngineOverloadedError, ModelInfo, OnDraft
from solvers.base import CandidateDraft, Completion, Effort, EffortError, Guidance, Method, Outcome
from solvers.search_pool import SearchPool
from solvers.stop import Stop
from solvers.strategy import solve

ANSWER = 7


@dataclass(frozen=True)
class Riddle:
    """A problem of one cell, whose answer is a number."""

    contradictory: bool = False
    exact: Completion[int] = field(default_factory=lambda: Completion(Outcome.UNDECIDED))
    endless: bool = False  # the exact search of it
    too_large: bool = False  # for the model


@dataclass
class RiddleSolver:
    default_candidates: int = 2
    slow_layout: bool = False
    layout_threads: list[threading.Thread] = field(default_factory=list)
    completed_with: list[float] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def default_steps(self, method: Method, last: bool) -> int:
        return 70 if last else 9 if method is Method.GUIDED_DIFFUSION else 5

    def contradiction(self, problem: Riddle) -> bool:
        return problem.contradictory

    def misfit(self, problem: Riddle, model: ModelInfo) -> str | None:
        return f"{model.name} is too small" if problem.too_large else None

    def layout(self, problem: Riddle) -> CanvasRequest:
        self.layout_threads.append(threading.current_thread())
        return CanvasRequest(clamps=np.array([-1], np.int64))

    def decode(self, problem: Riddle, tokens: Tokens) -> int:
        return int(tokens[0])

    def check(self, problem: Riddle, answer: int) -> bool:
        return answer == ANSWER

    def complete(
        self, problem: Riddle, belief: Floats | None, seed: int, limit_s: float, stop: Stop
    ) -> Completion[int]:
        self.completed_with.append(limit_s)
        with stop.obeyed_by(self.stopped.set):
            if problem.endless:
                assert self.stopped.wait(10)
        return problem.exact

    def badness(self, problem: Riddle, result: CanvasResult) -> float:
        return float(result.entropy.sum())


#: (request) -> steps it takes, the token it ends with, its entropy.
Script = Callable[[CanvasRequest], tuple[int, int, float]]


class ScriptedEngine:
    """Plays back steps and answers; records what was asked and what was cancelled."""

    def __init__(self, script: Script, reason: FinishReason = FinishReason.MAX_STEPS) -> None:
        self.script, self.reason = script, reason
        self.asked: list[CanvasRequest] = []
        self.cancelled: list[int] = []

    def models(self) -> Sequence[ModelInfo]:
        return [self.model("m")]

    def model(self, name: str) -> ModelInfo:
        return ModelInfo(name, "riddle", 1, "digest", "cpu", "float32", 8, 9, 4, 4)

    async def denoise(
        self, model: str, request: CanvasRequest, on_draft: OnDraft | None = None
    ) -> CanvasResult:
        self.asked.append(request)
        steps, token, entropy = self.script(request)
        tokens, doubt = np.array([token]), np.array([entropy], np.float32)
        try:
            for step in range(1, steps + 1):
                await asyncio.sleep(0)
                if on_draft is not None:
                    on_draft(Draft(step, tokens, np.array([True]), doubt))
        except asyncio.CancelledError:
            self.cancelled.append(request.candidate)
            raise
        return CanvasResult(tokens, doubt, doubt, self.reason, steps, 1.0, 2.0)


def run(
    script: Script,
    effort: Effort | None = None,
    riddle: Riddle | None = None,
    solver: RiddleSolver | None = None,
    **options,
):
    engine, solver = ScriptedEngine(script), solver or RiddleSolver()
    with SearchPool(1) as searches:
        options = {"searches": searches, **options}
        work = solve(solver, riddle or Riddle(), effort or Effort(seed=3), engine, "m", **options)
        return asyncio.run(work), engine, solver


def test_contradicting_givens_are_unsatisfiable_without_a_step() -> None:
    solution, engine, _ = run(lambda _: (1, ANSWER, 0.0), riddle=Riddle(contradictory=True))
    assert solution.outcome is Outcome.UNSATISFIABLE
    assert (solution.report.method, engine.asked) == (None, [])


def test_unguided_diffusion_comes_first_and_suffices() -> None:
    solution, engine, _ = run(lambda _: (2, ANSWER, 0.0))
    assert (solution.outcome, solution.answer) == (Outcome.SOLVED, ANSWER)
    assert solution.report.method is Method.DIFFUSION
    assert not any(request.guided for request in engine.asked)


def test_guidance_follows_when_the_model_alone_fails() -> None:
    solution, engine, _ = run(lambda r: (2, ANSWER if r.guided else 1, 0.0))
    assert solution.report.method is Method.GUIDED_DIFFUSION
    assert [request.guided for request in engine.asked] == [False, False, True, True]


def test_an_answer_that_fails_the_check_is_never_called_solved() -> None:
    solution, _, _ = run(lambda _: (2, 1, 0.5))
    assert solution.outcome is Outcome.UNDECIDED
    assert solution.answer == 1


def test_each_method_has_its_own_default_steps_and_the_effort_overrides_them() -> None:
    _, engine, _ = run(lambda _: (1, 1, 0.0))
    assert [request.sampling.max_steps for request in engine.asked] == [5, 5, 9, 9]
    _, engine, _ = run(lambda _: (1, 1, 0.0), Effort(seed=0, max_steps=3))
    assert {request.sampling.max_steps for request in engine.asked} == {3}


@pytest.mark.parametrize(
    ("guidance", "steps"),
    [(Guidance.AUTO, [5, 70]), (Guidance.NONE, [70]), (Guidance.PROPAGATE, [70])],
)
def test_what_nothing_follows_is_given_the_steps_of_the_last(
    guidance: Guidance, steps: list[int]
) -> None:
    effort = Effort(seed=0, candidates=1, guidance=guidance, exact_fallback=False)
    _, engine, _ = run(lambda _: (1, 1, 0.0), effort)
    assert [request.sampling.max_steps for request in engine.asked] == steps


def test_the_least_bad_draft_is_returned_when_undecided() -> None:
    solution, _, _ = run(lambda r: (2, 1 + r.candidate, 0.9 - 0.1 * r.candidate))
    assert solution.answer == 2


@pytest.mark.parametrize("slow", [False, True])
def test_a_problem_is_laid_out_once_and_a_slow_layout_beside_the_event_loop(slow: bool) -> None:
    solver = RiddleSolver(slow_layout=slow)
    _, engine, _ = run(lambda _: (2, 1, 0.0), solver=solver)
    assert len(engine.asked) == 4
    (thread,) = solver.layout_threads
    assert (thread is not threading.main_thread()) == slow


def test_fewest_steps_win_then_the_lowest_candidate() -> None:
    effort = Effort(seed=0, candidates=4)
    steps = {0: 9, 1: 4, 2: 3, 3: 3}
    solution, engine, _ = run(lambda r: (steps[r.candidate], ANSWER, 0.0), effort)
    assert solution.report.steps == 3
    assert set(engine.cancelled) <= {0, 1, 3}
    assert 0 in engine.cancelled


def test_a_candidate_that_could_still_be_best_is_waited_for() -> None:
    order = []

    def script(request: CanvasRequest) -> tuple[int, int, float]:
        order.append(request.candidate)
        return (2, ANSWER, 0.0) if request.candidate == 1 else (1, 3, 0.0)

    solution, _, _ = run(script, Effort(seed=0, candidates=2))
    assert solution.report.steps == 2


def test_exact_completion_answers_and_proves() -> None:
    for exact in (Completion(Outcome.SOLVED, ANSWER), Completion[int](Outcome.UNSATISFIABLE)):
        solution, _, _ = run(lambda _: (2, 1, 0.0), riddle=Riddle(exact=exact))
        assert (solution.outcome, solution.answer) == (exact.outcome, exact.answer)
        assert solution.report.method is Method.EXACT
        assert solution.report.steps == 8  # of all candidates, because none of them answered


def test_an_exact_answer_that_fails_the_check_is_never_called_solved() -> None:
    riddle = Riddle(exact=Completion(Outcome.SOLVED, ANSWER + 1))
    solution, _, _ = run(lambda _: (2, 1, 0.0), riddle=riddle)
    assert (solution.outcome, solution.answer) == (Outcome.UNDECIDED, 1)
    assert solution.report.method is None


def test_exact_completion_is_left_out_when_not_allowed() -> None:
    effort = Effort(seed=0, exact_fallback=False)
    solution, _, solver = run(lambda _: (2, 1, 0.0), effort)
    assert solution.outcome is Outcome.UNDECIDED
    assert solver.completed_with == []


def test_exact_completion_gets_what_is_left_of_the_callers_time() -> None:
    _, _, solver = run(lambda _: (2, 1, 0.0), limit_s=3.0)
    assert 2.0 < solver.completed_with[0] <= 3.0


def test_denoising_does_not_spend_the_time_of_a_search_that_the_caller_would_wait_for() -> None:
    def slowly(request: CanvasRequest) -> tuple[int, int, float]:
        time.sleep(0.1)
        return 2, 1, 0.0

    _, _, solver = run(slowly, limit_s=300.0)
    assert 59.9 < solver.completed_with[0] <= 60.0


def test_a_contradiction_found_by_propagation_is_a_proof() -> None:
    engine = ScriptedEngine(lambda _: (0, 1, 0.0), FinishReason.CONTRADICTION)
    effort = Effort(seed=0, guidance=Guidance.PROPAGATE)
    with SearchPool(1) as searches:
        work = solve(RiddleSolver(), Riddle(), effort, engine, "m", searches=searches)
        solution = asyncio.run(work)
    assert solution.outcome is Outcome.UNSATISFIABLE
    assert solution.report.method is Method.GUIDED_DIFFUSION


def test_drafts_of_one_candidate_at_a_time_are_shown_in_order() -> None:
    shown: list[CandidateDraft] = []
    run(lambda _: (3, ANSWER, 0.0), on_draft=shown.append)
    assert [(d.candidate, d.draft.step) for d in shown][:3] == [(0, 1), (0, 2), (0, 3)]


def test_an_engine_error_reaches_the_caller() -> None:
    def overloaded(_: CanvasRequest) -> tuple[int, int, float]:
        raise EngineOverloadedError("full")

    with pytest.raises(EngineOverloadedError):
        run(overloaded)


def test_a_drawn_seed_is_reported_and_reaches_every_canvas() -> None:
    solution, engine, _ = run(lambda _: (1, ANSWER, 0.0), Effort())
    assert {request.seed for request in engine.asked} == {solution.report.seed}


def test_cancelling_the_caller_cancels_every_candidate() -> None:
    engine = ScriptedEngine(lambda _: (10_000, 1, 0.0))

    async def cancel_midway() -> None:
        with SearchPool(1) as searches:
            effort = Effort(seed=0, candidates=3)
            work = solve(RiddleSolver(), Riddle(), effort, engine, "m", searches=searches)
            task = asyncio.create_task(work)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(0)

    asyncio.run(cancel_midway())
    assert sorted(engine.cancelled) == [0, 1, 2]


async def test_cancelling_the_caller_stops_its_exact_search() -> None:
    engine, solver = ScriptedEngine(lambda _: (1, 1, 0.0)), RiddleSolver()
    with SearchPool(1) as searches:
        work = solve(solver, Riddle(endless=True), Effort(), engine, "m", searches=searches)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(work, 0.2)
        assert len(solver.completed_with) == 1
        assert await asyncio.to_thread(solver.stopped.wait, 2)


async def test_a_problem_whose_time_is_up_before_a_place_is_free_is_undecided() -> None:
    busy, release = threading.Event(), threading.Event()
    engine, solver = ScriptedEngine(lambda _: (1, 1, 0.0)), RiddleSolver()

    def occupy(limit_s: float, stop: Stop) -> None:
        busy.set()
        release.wait(10)

    with SearchPool(1) as searches:
        occupying = asyncio.create_task(searches.run(occupy, 10.0))
        await asyncio.to_thread(busy.wait, 2)
        riddle = Riddle(exact=Completion(Outcome.SOLVED, ANSWER))
        work = solve(solver, riddle, Effort(), engine, "m", searches=searches, limit_s=0.2)
        assert (await asyncio.wait_for(work, 2)).outcome is Outcome.UNDECIDED
        release.set()
        await occupying
    assert solver.completed_with == []


@pytest.mark.parametrize(
    ("field_name", "value"),
    [("max_steps", 0), ("max_steps", 10**9), ("candidates", 0), ("candidates", 257), ("seed", -1)],
)
def test_an_effort_out_of_range_is_refused_by_name(field_name: str, value: int) -> None:
    with pytest.raises(EffortError, match=f"{field_name}: got {value}, accepted"):
        Effort(**{field_name: value})
