import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.graph.graph import Graph
from solvers.graph.independent_set.branch_and_bound import BranchAndBound
from solvers.graph.independent_set.checker import is_independent_set
from solvers.graph.independent_set.problem import IndependentSetProblem
from solvers.stop import Stop
from tests.solvers.graph.reference import graphs, independent_sets, random_graph

HARD = random_graph(200, 0.05, 0)


@given(graphs(9), st.integers(0, 9))
def test_small_graphs_agree_with_brute_force(graph: Graph, above: int) -> None:
    tree = BranchAndBound.begin(graph.adjacency, above)
    tree.go_on(100, 30.0)
    problem = IndependentSetProblem.create(graph, 1)
    largest = max(map(len, independent_sets(problem)))
    assert len(tree.found) == (largest if largest > above else 0)
    assert is_independent_set(problem, tree.found) or not tree.found
    assert tree.bound == max(largest, above)


@pytest.mark.parametrize("vertices", [63, 64, 65, 127, 128, 129, 140])
@pytest.mark.parametrize("density", [0.2, 0.5, 0.8])
def test_graphs_of_several_words_agree_with_a_search_without_bounds(
    vertices: int, density: float
) -> None:
    graph = random_graph(vertices, density if vertices < 100 else max(density, 0.5), vertices)
    tree = BranchAndBound.begin(graph.adjacency, 0)
    tree.go_on(graph.vertices, 60.0)
    assert is_independent_set(IndependentSetProblem.create(graph, 1), tree.found)
    assert tree.bound == len(tree.found) == plain_search(graph)


def plain_search(graph: Graph) -> int:
    """Largest independent set: a vertex of most neighbours is out or in; the rest is read off."""
    neighbours = [sum(1 << other for other in row) for row in graph.neighbours]

    def most(left: int) -> int:
        best, at, rest = 0, -1, left
        while rest:
            vertex = (rest & -rest).bit_length() - 1
            rest &= rest - 1
            degree = (neighbours[vertex] & left).bit_count()
            if degree <= 1:
                return 1 + most(left & ~(neighbours[vertex] | 1 << vertex))
            if degree > best:
                best, at = degree, vertex
        if at < 0:
            return 0
        without = left & ~(1 << at)
        return max(1 + most(without & ~neighbours[at]), most(without))

    return most((1 << graph.vertices) - 1)


def test_a_search_goes_on_where_it_stood() -> None:
    graph = random_graph(120, 0.2, 0)
    whole, parts = (BranchAndBound.begin(graph.adjacency, 0) for _ in range(2))
    whole.go_on(graph.vertices, 60.0)
    pauses = 0
    while parts.bound == graph.vertices:
        parts.go_on(graph.vertices, 0.001)
        pauses += 1
    assert pauses > 1
    assert parts.found == whole.found


def test_it_ends_at_the_target() -> None:
    tree = BranchAndBound.begin(HARD.adjacency, 0)
    tree.go_on(20, 30.0)
    assert len(tree.found) >= 20
    assert tree.bound == HARD.vertices


def test_a_raised_size_has_to_be_beaten() -> None:
    graph = random_graph(60, 0.5, 0)
    tree = BranchAndBound.begin(graph.adjacency, 0)
    tree.raise_to(plain_search(graph))
    tree.go_on(graph.vertices, 30.0)
    assert tree.found == ()
    assert tree.bound == plain_search(graph)


def test_no_time_leaves_the_search_unfinished() -> None:
    tree = BranchAndBound.begin(HARD.adjacency, 0)
    tree.go_on(HARD.vertices, 0.0)
    assert tree.found == ()
    assert tree.bound == HARD.vertices


def test_another_thread_stops_it_and_runs_beside_it() -> None:
    stop, ticks, done = Stop(), [0], threading.Event()

    def tick() -> None:
        while not done.wait(0.005):
            ticks[0] += 1
            if ticks[0] == 20:
                stop.ask()

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.monotonic()
    BranchAndBound.begin(HARD.adjacency, 80).go_on(HARD.vertices, 60.0, stop)
    elapsed = time.monotonic() - started
    done.set()
    thread.join()
    assert elapsed < 10.0


def test_the_empty_graph_is_searched_at_once() -> None:
    tree = BranchAndBound.begin(np.zeros((0, 0), np.bool_), 0)
    tree.go_on(1, 0.0)
    assert tree.found == ()
