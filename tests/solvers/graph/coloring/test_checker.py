from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.graph.coloring.checker import is_coloring
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.graph import Graph
from tests.solvers.graph.reference import coloring_problems, colorings

PATH = ColoringProblem.create(Graph.create(3, [(0, 1), (1, 2)]), 2, [(0, 1)])


def test_colours_that_differ_along_edges_and_keep_clamps_pass() -> None:
    assert is_coloring(PATH, (1, 0, 1))


@pytest.mark.parametrize(
    "colors",
    [
        (0, 1, 0),  # the clamp changed
        (1, 0, 0),
        (1, 0, 2),
        (1, 0, -1),
        (),
        (1, 0),
        (1, 0, 1, 0),
        (True, 0, 1),
        (1, False, 1),
        (1.0, 0.0, 1.0),
        ("1", "0", "1"),
        (1, None, 1),
        np.array([1, 0, 1]),
        "101",
    ],
)
def test_anything_else_is_no_colouring(colors: Any) -> None:
    assert not is_coloring(PATH, colors)


@given(coloring_problems(), st.data())
def test_colours_pass_exactly_if_brute_force_finds_them(
    problem: ColoringProblem, data: st.DataObject
) -> None:
    n = problem.graph.vertices
    colors = data.draw(st.lists(st.integers(-1, problem.colors), min_size=n, max_size=n))
    found = colorings(problem)
    assert is_coloring(problem, colors) == (tuple(colors) in found)
    assert all(is_coloring(problem, answer) for answer in found)
