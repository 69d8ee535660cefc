import networkx as nx
import pytest
from hypothesis import given

from solvers.graph.coloring.checker import is_coloring
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.dsatur import clique_cover_size, greedy_coloring
from solvers.graph.graph import Graph
from solvers.graph.independent_set.problem import IndependentSetProblem
from tests.solvers.graph.reference import (
    coloring_problems,
    from_networkx,
    graphs,
    independent_sets,
    random_graph,
)


@given(coloring_problems())
def test_a_greedy_colouring_is_one(problem: ColoringProblem) -> None:
    if problem.conflicts():
        return
    found = greedy_coloring(problem.graph, problem.clamps, problem.colors)
    assert found is None or is_coloring(problem, found)


@given(coloring_problems())
def test_enough_colours_always_suffice(problem: ColoringProblem) -> None:
    if problem.conflicts():
        return
    found = greedy_coloring(problem.graph, problem.clamps)
    assert found is not None
    most = ColoringProblem.create(problem.graph, max(found) + 1, problem.clamps)
    assert is_coloring(most, found)


@pytest.mark.parametrize("seed", range(5))
def test_bipartite_graphs_take_two_colours(seed: int) -> None:
    """DSATUR is exact on them."""
    graph = from_networkx(nx.bipartite.random_graph(20, 30, 0.2, seed))
    found = greedy_coloring(graph)
    assert found is not None
    assert max(found) == 1


def test_too_few_colours_are_none() -> None:
    assert greedy_coloring(from_networkx(nx.complete_graph(5)), (), 4) is None


def test_clamps_are_kept() -> None:
    graph = random_graph(40, 0.2, 0)
    found = greedy_coloring(graph, [(3, 7), (5, 9)])
    assert found is not None
    assert (found[3], found[5]) == (7, 9)


@given(graphs(8))
def test_no_independent_set_outgrows_the_clique_cover(graph: Graph) -> None:
    size = clique_cover_size(graph)
    if size < graph.vertices:
        assert not independent_sets(IndependentSetProblem.create(graph, size + 1))
