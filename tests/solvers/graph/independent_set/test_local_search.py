import threading
import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.graph.graph import Graph
from solvers.graph.independent_set.checker import is_independent_set
from solvers.graph.independent_set.local_search import enlarge, improve
from solvers.graph.independent_set.problem import IndependentSetProblem
from solvers.stop import Stop
from tests.solvers.graph.reference import (
    from_networkx,
    independent_set_problems,
    independent_sets,
    random_graph,
)

GRAPH = random_graph(200, 0.1, 0)
#: More than there are to be had, so that a search ends only by its budget.
FAR = IndependentSetProblem.create(GRAPH, 100)


@given(independent_set_problems(), st.sets(st.integers(0, 7)), st.integers(0, 2**63 - 1))
def test_what_can_be_reached_on_small_graphs_is(
    problem: IndependentSetProblem, start: set[int], seed: int
) -> None:
    if problem.conflicts():
        return
    found = improve(problem, start, seed, 500, 30.0)
    assert set(problem.include) <= set(found)
    assert set(problem.exclude).isdisjoint(found)
    if independent_sets(problem):
        assert is_independent_set(problem, found)
    elif found:
        smaller = IndependentSetProblem.create(problem.graph, len(found))
        assert is_independent_set(smaller, found)


@pytest.mark.parametrize(("density", "size"), [(0.02, 95), (0.1, 42), (0.5, 11)])
def test_large_sets_are_found_on_large_graphs(density: float, size: int) -> None:
    problem = IndependentSetProblem.create(random_graph(200, density, 0), size)
    assert is_independent_set(problem, improve(problem, (), 0, 10**6, 30.0))


def test_a_set_that_greed_misses_is_found() -> None:
    """Both sides of a complete bipartite graph trap a search that never goes back."""
    graph = from_networkx(nx.complete_bipartite_graph(30, 31))
    problem = IndependentSetProblem.create(graph, 31)
    for seed in range(5):
        assert improve(problem, range(30), seed, 10**6, 30.0) == tuple(range(30, 61))


def test_the_start_is_kept_as_far_as_it_holds() -> None:
    best = improve(FAR, (), 0, 100_000, 30.0)
    assert improve(FAR, best, 1, 0, 30.0) == best
    clashing = GRAPH.neighbours[best[0]][0]
    repaired = improve(FAR, (*best, clashing), 1, 0, 30.0)
    assert len(repaired) >= len(best)
    assert improve(FAR, range(200), 1, 0, 30.0)


def test_what_is_closed_is_taken_from_the_start() -> None:
    best = improve(FAR, (), 0, 100_000, 30.0)
    excluding = IndependentSetProblem.create(GRAPH, 100, exclude=best[:2])
    assert improve(excluding, best, 0, 0, 30.0) == best[2:]


def test_the_target_ends_the_search() -> None:
    problem = IndependentSetProblem.create(GRAPH, 5)
    assert len(improve(problem, (), 0, 10**9, 30.0)) == 5


@pytest.mark.parametrize("steps", [100, 25_000])
def test_the_same_seed_and_steps_give_the_same_set(steps: int) -> None:
    assert improve(FAR, (), 7, steps, 30.0) == improve(FAR, (), 7, steps, 30.0)
    assert len({improve(FAR, (), seed, steps, 30.0) for seed in range(4)}) > 1


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_no_time_returns_the_start(limit_s: float) -> None:
    assert improve(FAR, (3,), 0, 10**9, limit_s) == (3,)


def test_another_thread_stops_it() -> None:
    stop = Stop()
    timer = threading.Timer(0.1, stop.ask)
    timer.start()
    started = time.monotonic()
    assert improve(FAR, (), 0, 10**12, 60.0, stop)
    assert time.monotonic() - started < 10.0
    timer.join()


def test_a_graph_that_is_all_closed_is_left_at_once() -> None:
    star = from_networkx(nx.star_graph(6))
    problem = IndependentSetProblem.create(star, 3, include=[0])
    assert improve(problem, (), 0, 10**12, 60.0) == (0,)


def test_a_set_of_everything_is_not_searched_beyond() -> None:
    assert enlarge(np.zeros((4, 4), np.bool_), (), 9, 0, 10**12, 60.0) == (0, 1, 2, 3)
    assert improve(IndependentSetProblem.create(Graph.create(1, ()), 1), (), 0, 9, 1.0) == (0,)
