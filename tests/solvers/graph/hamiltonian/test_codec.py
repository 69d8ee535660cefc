"""Paths as canvases: places as tokens, clamps, and back."""

import numpy as np
import pytest

from engine.canvas import FREE
from solvers.graph.hamiltonian import codec
from solvers.graph.hamiltonian.problem import HamiltonianProblem
from solvers.problem_error import ProblemError
from tests.solvers.graph.reference import random_graph

GRAPH = random_graph(5, 0.7, 0)


def test_a_cycle_begins_at_vertex_0_unless_something_is_fixed() -> None:
    assert codec.encode(HamiltonianProblem(GRAPH, cycle=True)).clamps.tolist() == [0, *[FREE] * 4]
    fixed = HamiltonianProblem.create(GRAPH, cycle=True, clamps=[(3, 2)])
    assert codec.encode(fixed).clamps.tolist() == [FREE, FREE, FREE, 2, FREE]
    assert (codec.encode(HamiltonianProblem(GRAPH)).clamps == FREE).all()


def test_a_canvas_takes_as_many_places_as_vertices() -> None:
    request = codec.encode(HamiltonianProblem(GRAPH))
    request.validate(codec.VOCABULARY, 512)
    assert request.domain is not None
    assert (request.domain.mask() == (np.arange(codec.VOCABULARY) < 5)).all()


def test_vertices_are_read_by_their_place_and_clamped_ones_stay_at_theirs() -> None:
    free = HamiltonianProblem(GRAPH)
    assert codec.decode(free, np.array([4, 3, 2, 1, 0])) == (4, 3, 2, 1, 0)
    clamped = HamiltonianProblem.create(GRAPH, clamps=[(0, 1)])
    assert codec.decode(clamped, np.array([1, 1, 2, 3, 4])) == (1, 0, 2, 3, 4)
    assert codec.decode(clamped, np.array([1, 4, 4, 4, 4])) == (1, 0, 2, 3, 4)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"clamps": [(0, 1), (0, 1)]}, r"clamps\[1\].vertex"),
        ({"start": 0, "clamps": [(0, 0)]}, r"clamps\[0\].vertex"),
        ({"clamps": [(0, 1), (2, 1)]}, r"clamps\[1\].position"),
        ({"start": 2, "end": 2}, "end"),
    ],
)
def test_what_is_fixed_twice_is_refused(given: dict[str, object], field: str) -> None:
    with pytest.raises(ProblemError, match=field):
        HamiltonianProblem.create(GRAPH, **given)  # type: ignore[arg-type]


def test_a_single_vertex_is_both_ends() -> None:
    problem = HamiltonianProblem.create(random_graph(1, 0.0, 0), start=0, end=0)
    assert problem.clamps == ((0, 0),)
