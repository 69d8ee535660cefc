from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given

from solvers.graph.cliques import edge_cover, large_clique
from solvers.graph.graph import Graph
from tests.solvers.graph.reference import from_networkx, graphs, queen, random_graph


def is_clique(graph: Graph, vertices: tuple[int, ...]) -> bool:
    return all(graph.adjacency[pair] for pair in combinations(vertices, 2))


@given(graphs(9))
def test_the_clique_of_a_small_graph_is_the_largest(graph: Graph) -> None:
    clique = large_clique(graph)
    largest = nx.Graph(graph.edges)
    largest.add_nodes_from(range(graph.vertices))
    assert is_clique(graph, clique)
    assert len(clique) == max(map(len, nx.find_cliques(largest)))


def test_a_large_clique_is_found_among_many_vertices() -> None:
    hidden = random_graph(300, 0.5, 0).adjacency.copy()
    hidden[100:130, 100:130] = True
    clique = large_clique(Graph.of(hidden))
    assert set(range(100, 130)) <= set(clique)
    assert len(large_clique(queen(9))) == 9


def test_the_same_seed_gives_the_same_clique() -> None:
    graph = random_graph(100, 0.5, 1)
    assert large_clique(graph, 3) == large_clique(graph, 3)
    assert len({large_clique(graph, seed) for seed in range(9)}) > 1


@given(graphs(9))
def test_a_cover_holds_every_edge_in_maximal_cliques(graph: Graph) -> None:
    cover = edge_cover(graph)
    assert {pair for clique in cover for pair in combinations(clique, 2)} == set(graph.edges)
    for clique in cover:
        others = set(range(graph.vertices)) - set(clique)
        assert not any(is_clique(graph, (*clique, other)) for other in others)


@pytest.mark.parametrize(("graph", "most"), [(nx.complete_graph(40), 1), (nx.star_graph(40), 40)])
def test_a_cover_takes_no_more_cliques_than_it_needs(graph: nx.Graph, most: int) -> None:
    assert len(edge_cover(from_networkx(graph))) == most
