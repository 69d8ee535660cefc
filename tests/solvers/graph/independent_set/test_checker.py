from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.graph.graph import Graph
from solvers.graph.independent_set.checker import is_independent_set
from solvers.graph.independent_set.problem import IndependentSetProblem
from tests.solvers.graph.reference import independent_set_problems, independent_sets

RING = IndependentSetProblem.create(
    Graph.create(7, [(v, (v + 1) % 7) for v in range(7)]), 2, include=[0], exclude=[3]
)


@pytest.mark.parametrize("vertices", [(0, 2), (0, 5), [5, 2, 0], (0, 2, 4)])
def test_vertices_without_edges_between_them_pass(vertices: Any) -> None:
    assert is_independent_set(RING, vertices)


@pytest.mark.parametrize(
    "vertices",
    [
        (0,),
        (2, 4),  # 0 is missing
        (0, 3),
        (0, 1),
        (0, 6),
        (0, 0),
        (0, 2, 2),
        (0, 7),
        (0, -5),
        (),
        (False, 2),
        (0.0, 2.0),
        (0, "2"),
        (0, None),
        np.array([0, 2]),
        "02",
    ],
)
def test_anything_else_is_no_independent_set(vertices: Any) -> None:
    assert not is_independent_set(RING, vertices)


@given(independent_set_problems(), st.data())
def test_vertices_pass_exactly_if_brute_force_finds_them(
    problem: IndependentSetProblem, data: st.DataObject
) -> None:
    vertices = data.draw(st.sets(st.integers(0, problem.graph.vertices)))
    found = independent_sets(problem)
    assert is_independent_set(problem, sorted(vertices)) == (tuple(sorted(vertices)) in found)
    assert all(is_independent_set(problem, answer) for answer in found)
