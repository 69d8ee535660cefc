"""What the parts of the graph benchmark share: efforts, how they solve, a check by networkx."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import networkx as nx

from engine.client import EngineClient
from solvers.base import Effort, Guidance, Solution, Solver
from solvers.graph.coloring.fewest import FewestColors
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.coloring.solver import ColoringSolver
from solvers.graph.graph import Graph
from solvers.graph.hamiltonian.problem import HamiltonianProblem
from solvers.graph.hamiltonian.solver import HamiltonianSolver
from solvers.graph.independent_set.largest import LargestSet
from solvers.graph.independent_set.problem import IndependentSetProblem
from solvers.graph.independent_set.solver import IndependentSetSolver
from solvers.optimise import Optimum, optimise
from solvers.search_pool import SearchPool
from solvers.strategy import solve

Problem = ColoringProblem | IndependentSetProblem | HamiltonianProblem

MODEL = "model, 1 candidate"
EFFORTS = {
    MODEL: Effort(guidance=Guidance.NONE, candidates=1, max_steps=64, exact_fallback=False),
    "model, 16 candidates": Effort(
        guidance=Guidance.NONE, candidates=16, max_steps=64, exact_fallback=False
    ),
    "guided": Effort(guidance=Guidance.PROPAGATE, max_steps=64, exact_fallback=False),
    "default": Effort(),
}


@dataclass(frozen=True)
class Solving:
    """Where problems are solved, and within how many seconds.

    Attributes:
        engine: with a model for each task.
        searches: for exact completion.
        limit_s: of a search for the best answer.
    """

    engine: EngineClient
    searches: SearchPool
    limit_s: float

    async def solve(self, problem: Problem, effort: Effort) -> Solution[Any]:
        """Answer one problem."""
        solver, model = _solver(problem)
        return await solve(
            solver,
            problem,
            effort,
            self.engine,
            model,
            searches=self.searches,
            limit_s=self.limit_s,
        )

    async def best(self, objective: FewestColors | LargestSet) -> tuple[Optimum[Any], float]:
        """Find the best answer with default effort; and the seconds that it took."""
        solver, model = _solver(objective.problem)
        started = time.perf_counter()
        found = await optimise(
            solver,
            objective,
            Effort(seed=0),
            self.engine,
            model,
            searches=self.searches,
            incumbent=objective.incumbent(),
            limit_s=self.limit_s,
        )
        return found, time.perf_counter() - started


def _solver(problem: Problem) -> tuple[Solver[Any, Any], str]:
    match problem:
        case ColoringProblem():
            return ColoringSolver(), "coloring"
        case IndependentSetProblem():
            return IndependentSetSolver(), "independent-set"
    return HamiltonianSolver(), "hamiltonian"


def networkx_graph(graph: Graph) -> nx.Graph:
    """The same graph."""
    copy = nx.Graph()
    copy.add_nodes_from(range(graph.vertices))
    copy.add_edges_from(graph.edges)
    return copy


def is_right(problem: Problem, answer: Sequence[int] | None) -> bool:
    """Whether networkx agrees that this is an answer."""
    if answer is None:
        return False
    graph = networkx_graph(problem.graph)
    match problem:
        case ColoringProblem():
            return max(answer) < problem.colors and all(
                answer[a] != answer[b] for a, b in graph.edges
            )
        case IndependentSetProblem():
            apart = graph.subgraph(answer).number_of_edges() == 0
            return apart and len(set(answer)) >= problem.target_size
    steps = [*pairwise(answer), *([(answer[-1], answer[0])] if problem.cycle else [])]
    return set(answer) == set(graph) and all(graph.has_edge(a, b) for a, b in steps)


def dsatur(graph: Graph) -> list[int]:
    """The colouring that networkx finds greedily."""
    found = nx.greedy_color(networkx_graph(graph), strategy="DSATUR")
    return [found[vertex] for vertex in range(graph.vertices)]
