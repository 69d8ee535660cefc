"""Completion: greedy, tabu and exact search in turns, each under its own name."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings

from solvers.base import Completion, Method, Outcome
from solvers.graph.coloring import completion
from solvers.graph.coloring.checker import is_coloring
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.graph import Graph
from solvers.stop import Stop
from tests.solvers.graph.coloring.test_codec import problems
from tests.solvers.graph.reference import colorings, queen, random_graph


def complete(problem: ColoringProblem, limit_s: float = 20.0) -> Completion[Coloring]:
    return completion.complete(problem, None, 0, limit_s, Stop())


@settings(deadline=None, max_examples=60)
@given(problems())
def test_it_finds_what_there_is_and_refutes_what_there_is_not(problem: ColoringProblem) -> None:
    if problem.conflicts():
        return
    found, answers = complete(problem), colorings(problem)
    assert found.outcome is (Outcome.SOLVED if answers else Outcome.UNSATISFIABLE)
    if answers:
        assert found.answer in answers


def test_what_a_greedy_search_colours_is_called_local_search() -> None:
    found = complete(ColoringProblem(random_graph(40, 0.2, 0), 12))
    assert (found.outcome, found.method) == (Outcome.SOLVED, Method.LOCAL_SEARCH)


def test_what_only_tabu_search_colours_is_called_local_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(*_: object) -> Completion[Coloring]:
        raise AssertionError

    monkeypatch.setattr(completion.exact, "complete", forbidden)
    problem = ColoringProblem(queen(5), 5)
    found = complete(problem)
    assert found.method is Method.LOCAL_SEARCH
    assert found.answer is not None
    assert is_coloring(problem, found.answer)


def test_a_proof_is_called_exact() -> None:
    found = complete(ColoringProblem(queen(6), 6))
    assert (found.outcome, found.method) == (Outcome.UNSATISFIABLE, Method.EXACT)


def test_a_belief_is_where_the_search_begins() -> None:
    graph = random_graph(60, 0.5, 2)
    best = complete(ColoringProblem(graph, 14))
    assert best.answer is not None
    belief = np.eye(32, dtype=np.float32)[list(best.answer)]
    again = completion.complete(ColoringProblem(graph, 14), belief, 9, 20.0, Stop())
    assert again.outcome is Outcome.SOLVED


def test_a_search_ends_in_time() -> None:
    started = time.monotonic()
    found = complete(ColoringProblem(queen(11), 11), limit_s=1.0)
    assert found.outcome is not Outcome.UNSATISFIABLE  # it has 11, which are hard to find
    assert time.monotonic() - started < 10


def test_a_search_that_is_called_off_ends() -> None:
    stop = Stop()
    threading.Timer(0.5, stop.ask).start()
    started = time.monotonic()
    found = completion.complete(ColoringProblem(queen(11), 11), None, 0, 60.0, stop)
    assert found.outcome is Outcome.UNDECIDED
    assert time.monotonic() - started < 20


def test_a_graph_without_edges_takes_one_colour() -> None:
    assert complete(ColoringProblem(Graph(5, ()), 1)).answer == (0, 0, 0, 0, 0)
