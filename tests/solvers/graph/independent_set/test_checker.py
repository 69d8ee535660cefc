from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.graph.graph import Graph
from solvers.graph.independent_set.checker import (
    is_clique,
    is_independent_set,
    is_vertex_cover,
)
from solvers.graph.independent_set.problem import IndependentSetProblem
from tests.solvers.graph.reference import graphs, independent_set_problems, independent_sets

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


@given(graphs(), st.sets(st.integers(0, 5)))
def test_cliques_and_covers_are_what_networkx_says(graph: Graph, drawn: set[int]) -> None:
    vertices = sorted(v for v in drawn if v < graph.vertices)
    known = nx.Graph(graph.edges)
    known.add_nodes_from(range(graph.vertices))
    size = len(vertices)
    complete = known.subgraph(vertices).number_of_edges() == size * (size - 1) // 2
    turned = [(b, a) for a, b in graph.edges]
    assert is_clique(turned, vertices) == complete
    left = set(range(graph.vertices)).difference(vertices)
    assert is_vertex_cover(turned, vertices) == (known.subgraph(left).number_of_edges() == 0)


def test_a_vertex_named_twice_makes_no_clique_and_no_cover() -> None:
    assert not is_clique([(0, 1)], [0, 0, 1])
    assert not is_vertex_cover([(0, 1)], [0, 0])
