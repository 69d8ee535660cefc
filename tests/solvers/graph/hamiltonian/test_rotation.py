"""Rotation finds what is right, holds the ends, and is quick where edges are many."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.graph.graph import Graph
from solvers.graph.hamiltonian.checker import is_tour
from solvers.graph.hamiltonian.problem import HamiltonianProblem
from solvers.graph.hamiltonian.rotation import rotate
from tests.solvers.graph.reference import random_graph


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 14), st.booleans(), st.sets(st.sampled_from("se")))
def test_what_is_found_is_an_answer(seed: int, n: int, cycle: bool, ends: set[str]) -> None:
    graph = random_graph(n, 0.6, seed)
    first, last = np.random.default_rng(seed).choice(n, 2, replace=False).tolist()
    problem = HamiltonianProblem.create(
        graph,
        cycle=cycle,
        start=first if "s" in ends else None,
        end=last if "e" in ends else None,
    )
    found = rotate(problem, seed)
    assert found is None or is_tour(problem, found)
    assert found == rotate(problem, seed)


@pytest.mark.parametrize("cycle", [False, True])
@pytest.mark.parametrize("start", [None, 7])
@pytest.mark.parametrize("n", [80, 512])
def test_complete_graphs_are_walked_at_once(n: int, cycle: bool, start: int | None) -> None:
    problem = HamiltonianProblem.create(
        Graph.of(~np.eye(n, dtype=np.bool_)), cycle=cycle, start=start
    )
    started = time.monotonic()
    found = rotate(problem, 0)
    assert found is not None
    assert is_tour(problem, found)
    assert time.monotonic() - started < 5


def test_both_ends_of_a_path_are_held() -> None:
    problem = HamiltonianProblem.create(random_graph(100, 0.3, 1), start=3, end=9)
    found = rotate(problem, 0)
    assert found is not None
    assert is_tour(problem, found)
    only_end = HamiltonianProblem.create(random_graph(100, 0.3, 1), end=9)
    found = rotate(only_end, 0)
    assert found is not None
    assert found[-1] == 9


def test_inner_places_and_hopeless_graphs_are_left_to_others() -> None:
    inner = HamiltonianProblem.create(random_graph(9, 0.9, 0), clamps=[(2, 4)])
    assert rotate(inner, 0) is None
    assert rotate(HamiltonianProblem(Graph.create(4, [(0, 1), (2, 3)])), 0) is None
