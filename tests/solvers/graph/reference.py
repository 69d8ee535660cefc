"""Small graphs, and what brute force finds on them."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations, product

import networkx as nx
import numpy as np
from hypothesis import strategies as st

from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.graph import Graph
from solvers.graph.hamiltonian.problem import HamiltonianProblem, Tour
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem


@st.composite
def graphs(draw: st.DrawFn, most: int = 6) -> Graph:
    """A graph of 1 to ``most`` vertices with any edges."""
    vertices = draw(st.integers(1, most))
    pairs = list(combinations(range(vertices), 2))
    return Graph.create(
        vertices, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else ()
    )


def from_networkx(graph: nx.Graph) -> Graph:
    plain = nx.convert_node_labels_to_integers(graph)
    return Graph.create(len(plain), [(a, b) for a, b in plain.edges if a != b])


def queen(size: int) -> Graph:
    """The squares of a board, joined where a queen moves."""
    squares = list(product(range(size), repeat=2))
    return Graph.create(
        size * size,
        [
            (i, j)
            for (i, (a, b)), (j, (c, d)) in combinations(enumerate(squares), 2)
            if a == c or b == d or abs(a - c) == abs(b - d)
        ],
    )


def random_graph(vertices: int, density: float, seed: int) -> Graph:
    upper = np.triu(np.random.default_rng(seed).random((vertices, vertices)) < density, 1)
    return Graph.of(upper | upper.T)


def colorings(problem: ColoringProblem) -> set[Coloring]:
    """All of them."""
    return {
        colors
        for colors in product(range(problem.colors), repeat=problem.graph.vertices)
        if all(colors[v] == c for v, c in problem.clamps)
        and all(colors[a] != colors[b] for a, b in problem.graph.edges)
    }


def independent_sets(problem: IndependentSetProblem) -> set[IndependentSet]:
    """All that are large enough."""
    n = problem.graph.vertices
    subsets = (
        tuple(v for v in range(n) if mask >> v & 1)
        for mask in range(2**n)
        if mask.bit_count() >= problem.target_size
    )
    return {
        subset
        for subset in subsets
        if set(problem.include) <= set(subset)
        and not set(problem.exclude) & set(subset)
        and not any(a in subset and b in subset for a, b in problem.graph.edges)
    }


def tours(problem: HamiltonianProblem) -> set[Tour]:
    """All of them."""
    n = problem.graph.vertices
    adjacent = problem.graph.adjacency
    return {
        order
        for order in permutations(range(n))
        if all(order[position] == vertex for vertex, position in problem.clamps)
        and all(adjacent[step] for step in pairwise(order))
        and (not problem.cycle or (n > 2 and adjacent[order[-1], order[0]]))
    }


@st.composite
def coloring_problems(draw: st.DrawFn) -> ColoringProblem:
    graph, colors = draw(graphs()), draw(st.integers(1, 4))
    clamps = draw(st.dictionaries(st.integers(0, graph.vertices - 1), st.integers(0, colors - 1)))
    return ColoringProblem.create(graph, colors, clamps.items())


@st.composite
def independent_set_problems(draw: st.DrawFn) -> IndependentSetProblem:
    graph = draw(graphs(8))
    role = draw(
        st.lists(
            st.sampled_from(["open", "open", "open", "include", "exclude"]),
            min_size=graph.vertices,
            max_size=graph.vertices,
        )
    )
    return IndependentSetProblem.create(
        graph,
        draw(st.integers(1, graph.vertices)),
        [v for v, what in enumerate(role) if what == "include"],
        [v for v, what in enumerate(role) if what == "exclude"],
    )


@st.composite
def hamiltonian_problems(draw: st.DrawFn) -> HamiltonianProblem:
    graph = draw(graphs())
    order = draw(st.permutations(range(graph.vertices)))
    clamped = draw(st.sets(st.integers(0, graph.vertices - 1), max_size=3))
    return HamiltonianProblem.create(
        graph, cycle=draw(st.booleans()), clamps=[(order[i], i) for i in clamped]
    )
