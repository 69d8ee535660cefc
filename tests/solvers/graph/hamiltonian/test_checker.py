from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.graph.graph import Graph
from solvers.graph.hamiltonian.checker import is_tour
from solvers.graph.hamiltonian.problem import HamiltonianProblem
from tests.solvers.graph.reference import hamiltonian_problems, tours

RING = Graph.create(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
PATH = HamiltonianProblem.create(RING, start=1)
CYCLE = HamiltonianProblem.create(RING, cycle=True)
OPEN = HamiltonianProblem.create(Graph.create(4, [(0, 1), (1, 2), (2, 3)]), cycle=True)


def test_every_vertex_once_along_edges_passes() -> None:
    assert is_tour(PATH, (1, 2, 3, 0))
    assert is_tour(PATH, [1, 0, 3, 2])
    assert is_tour(CYCLE, (2, 3, 0, 1))
    assert is_tour(HamiltonianProblem.create(Graph.create(1, ())), (0,))


def test_a_cycle_has_to_close_and_to_have_three_vertices() -> None:
    assert not is_tour(OPEN, (0, 1, 2, 3))
    assert is_tour(HamiltonianProblem.create(OPEN.graph), (0, 1, 2, 3))
    pair = Graph.create(2, [(0, 1)])
    assert is_tour(HamiltonianProblem.create(pair), (1, 0))
    assert not is_tour(HamiltonianProblem.create(pair, cycle=True), (1, 0))
    assert not is_tour(HamiltonianProblem.create(Graph.create(1, ()), cycle=True), (0,))


@pytest.mark.parametrize(
    "tour",
    [
        (0, 1, 2, 3),  # starts elsewhere
        (1, 3, 2, 0),
        (1, 2, 3),
        (1, 2, 3, 0, 1),
        (1, 2, 1, 0),
        (1, 2, 3, 4),
        (1, 2, 3, -4),
        (),
        (True, 2, 3, 0),
        (1, 2, 3, False),
        (1.0, 2.0, 3.0, 0.0),
        (1, 2, 3, None),
        np.array([1, 2, 3, 0]),
        "1230",
    ],
)
def test_anything_else_is_no_tour(tour: Any) -> None:
    assert not is_tour(PATH, tour)


@given(hamiltonian_problems(), st.data())
def test_an_order_passes_exactly_if_brute_force_finds_it(
    problem: HamiltonianProblem, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(problem.graph.vertices)))
    found = tours(problem)
    assert is_tour(problem, order) == (tuple(order) in found)
    assert all(is_tour(problem, answer) for answer in found)
