"""What every graph with a Hamiltonian path or cycle has, checked without search.

A search proves the lack of one of these slowly or not at all: a bipartite graph whose sides differ,
say, hides pigeons in holes.
"""

from __future__ import annotations

import networkx as nx

from solvers.graph.hamiltonian.problem import HamiltonianProblem


def is_impossible(problem: HamiltonianProblem) -> bool:
    """Whether it is plain that there is no answer; False says nothing."""
    n = problem.graph.vertices
    if problem.conflicts() or (problem.cycle and n < 3):
        return True
    graph = nx.Graph(problem.graph.edges)
    graph.add_nodes_from(range(n))
    if not nx.is_connected(graph):
        return True
    return _blocks_branch(problem, graph) or _sides_are_uneven(problem, graph)


def _blocks_branch(problem: HamiltonianProblem, graph: nx.Graph) -> bool:
    """Whether the blocks, joined at cut vertices, are no row with the ends in its outer ones.

    A cycle must have a single block, of more than an edge. A path goes through each block once, so
    that one end lies in each block with a single cut vertex, elsewhere than there.
    """
    cuts = set(nx.articulation_points(graph))
    if problem.cycle or not cuts:
        return bool(cuts)
    outer = [block - cuts for block in nx.biconnected_components(graph) if len(block & cuts) == 1]
    n = problem.graph.vertices
    ends = [vertex for vertex, position in problem.clamps if position in (0, n - 1)]
    lacking = sum(block.isdisjoint(ends) for block in outer)
    return bool(lacking > 2 - len(ends))


def _sides_are_uneven(problem: HamiltonianProblem, graph: nx.Graph) -> bool:
    """Whether the graph is bipartite and its sides cannot alternate along the positions."""
    if not nx.is_bipartite(graph):
        return False
    n = problem.graph.vertices
    side_of = nx.bipartite.color(graph)
    second = sum(side_of.values())
    sizes = (n - second, second)
    fits = [
        sizes[first] == n - n // 2
        and all(side_of[vertex] == (first + position) % 2 for vertex, position in problem.clamps)
        for first in (0, 1)
    ]
    return not any(fits) or (problem.cycle and n % 2 == 1)
