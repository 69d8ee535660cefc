"""Compile the searches on graphs ahead of the first caller, who would wait for the compiler."""

from __future__ import annotations

import numpy as np

from solvers.graph.cliques import edge_cover, large_clique
from solvers.graph.coloring.tabu import repair
from solvers.graph.graph import Graph
from solvers.graph.independent_set.exact import complete
from solvers.graph.independent_set.problem import IndependentSetProblem


def compile_searches() -> None:
    """Search the smallest graph that every search has work on: a ring of five."""
    ring = Graph.create(5, [(vertex, (vertex + 1) % 5) for vertex in range(5)])
    large_clique(ring)
    edge_cover(ring)
    repair(ring.adjacency, 2, np.zeros(5, np.bool_), np.zeros(5, np.int64), moves=10, seed=0)
    complete(IndependentSetProblem(ring, 3), None, 0, 1.0)
