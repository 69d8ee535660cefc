import threading
import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.base import Completion, Outcome
from solvers.graph.graph import Graph
from solvers.graph.independent_set import exact
from solvers.graph.independent_set.checker import is_independent_set
from solvers.graph.independent_set.exact import Maximum, complete, maximise
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.stop import Stop
from tests.solvers.graph.reference import (
    from_networkx,
    independent_set_problems,
    independent_sets,
    queen,
    random_graph,
)

UNSATISFIABLE: Completion[IndependentSet] = Completion(Outcome.UNSATISFIABLE)
UNDECIDED: Completion[IndependentSet] = Completion(Outcome.UNDECIDED)
#: Found at once, and not to be proved the largest in the time that a test takes.
HARD = random_graph(400, 0.03, 0)


def largest(problem: IndependentSetProblem) -> int:
    """By brute force; 0 if the included vertices clash."""
    one = IndependentSetProblem.create(problem.graph, 1, problem.include, problem.exclude)
    return max(map(len, independent_sets(one)), default=0)


@given(independent_set_problems(), st.integers(0, 2**63 - 1))
def test_small_problems_agree_with_brute_force(problem: IndependentSetProblem, seed: int) -> None:
    completion = complete(problem, None, seed, 30.0)
    if answers := independent_sets(problem):
        assert completion.answer in answers
    else:
        assert completion == UNSATISFIABLE
    size = largest(problem)
    best = maximise(problem, None, seed, 30.0)
    assert (len(best.vertices), best.proved, best.bound) == (size, True, size)


@pytest.mark.parametrize("without", ["tree", "relaxation"])
@given(independent_set_problems())
def test_either_search_alone_agrees_with_brute_force(
    without: str, problem: IndependentSetProblem
) -> None:
    shares = {"tree": ("_FIRST", -1.0), "relaxation": ("_CP_SAT", 0.0)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_STEPS", 0)
        patch.setattr(exact, *shares[without])
        best = maximise(problem, None, 0, 30.0)
        assert (len(best.vertices), best.bound) == (largest(problem), largest(problem))
        assert best.proved
        outcome = Outcome.SOLVED if independent_sets(problem) else Outcome.UNSATISFIABLE
        assert complete(problem, None, 0, 30.0).outcome is outcome


@pytest.mark.parametrize(
    ("graph", "size"),
    [
        (queen(8), 8),
        (random_graph(150, 0.3, 0), 17),
        (from_networkx(nx.grid_2d_graph(15, 15)), 113),
        (from_networkx(nx.petersen_graph()), 4),
        (Graph.create(200, ()), 200),
    ],
)
def test_the_largest_set_is_found_and_proved(graph: Graph, size: int) -> None:
    problem = IndependentSetProblem.create(graph, size)
    best = maximise(problem, None, 0, 30.0)
    assert is_independent_set(problem, best.vertices)
    assert best == Maximum(best.vertices, True, size)
    assert complete(problem, None, 0, 30.0).outcome is Outcome.SOLVED
    if size < graph.vertices:
        more = IndependentSetProblem.create(graph, size + 1)
        assert complete(more, None, 0, 30.0) == UNSATISFIABLE


def test_included_vertices_that_clash_are_unsatisfiable() -> None:
    problem = IndependentSetProblem.create(queen(4), 2, include=[0, 1])
    assert complete(problem, None, 0, 30.0) == UNSATISFIABLE
    assert maximise(problem, None, 0, 30.0) == Maximum((), True, 0)


def test_the_target_does_not_end_maximising() -> None:
    assert len(maximise(IndependentSetProblem.create(queen(8), 1), None, 0, 30.0).vertices) == 8


def test_what_is_not_proved_is_bounded() -> None:
    problem = IndependentSetProblem.create(HARD, 400)
    best = maximise(problem, None, 0, 1.0)
    assert not best.proved
    assert 100 < len(best.vertices) < best.bound < 250
    far = IndependentSetProblem.create(HARD, len(best.vertices) + 1)
    assert complete(far, None, 0, 0.5) == UNDECIDED


def test_a_hint_is_not_lost_though_there_is_no_time() -> None:
    problem = IndependentSetProblem.create(HARD, 400)
    best = maximise(problem, None, 0, 1.0).vertices
    assert maximise(problem, best, 0, 0.0).vertices == best


def test_a_belief_is_started_from() -> None:
    best = maximise(IndependentSetProblem.create(HARD, 400), None, 0, 1.0).vertices
    belief = np.full((400, 2), 0.5, np.float32)
    belief[list(best)] = (0.1, 0.9)
    problem = IndependentSetProblem.create(HARD, len(best))
    assert complete(problem, belief, 0, 0.0).answer == best


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_no_belief_misleads(value: float) -> None:
    belief = np.full((64, 3), value, np.float32)
    answer = complete(IndependentSetProblem.create(queen(8), 8), belief, 0, 30.0).answer
    assert answer is not None
    assert complete(IndependentSetProblem.create(queen(8), 9), belief, 0, 30.0) == UNSATISFIABLE


def test_a_search_is_stopped_from_another_thread() -> None:
    stop = Stop()
    timer = threading.Timer(0.3, stop.ask)
    timer.start()
    started = time.monotonic()
    assert not maximise(IndependentSetProblem.create(HARD, 1), None, 0, 60.0, stop).proved
    assert time.monotonic() - started < 10.0
    timer.join()


def test_the_same_seed_gives_the_same_answer() -> None:
    problem = IndependentSetProblem.create(random_graph(100, 0.3, 0), 5)
    assert complete(problem, None, 4, 30.0) == complete(problem, None, 4, 30.0)
