"""A Hamiltonian path or cycle as a canvas, and back."""

from __future__ import annotations

import numpy as np

from engine.canvas import FREE, CanvasRequest, SamplingParams, Tokens
from engine.constraints import Tour as TourRule
from engine.domain import Domain
from solvers.graph.hamiltonian.problem import HamiltonianProblem, Tour
from solvers.graph.network import edge_relations

#: Tokens of the checkpoint: token t is the t-th place, from 0. Larger graphs it cannot hold.
VOCABULARY = 32

#: Training's rollout has a temperature of 0.6.
SAMPLING = SamplingParams(
    max_steps=64, t_min=0.5, t_max=0.7, entropy_bound=0.1, stability=4, confidence=0.005
)


def encode(problem: HamiltonianProblem, sampling: SamplingParams = SAMPLING) -> CanvasRequest:
    """The canvas of a graph: a position a vertex, its place as token, its edges as relation.

    A cycle may begin anywhere, so where nothing is fixed it begins at vertex 0.
    """
    n = problem.graph.vertices
    clamps = np.full(n, FREE)
    for vertex, position in problem.clamps or ([(0, 0)] if problem.cycle else []):
        clamps[vertex] = position
    return CanvasRequest(
        clamps=clamps,
        domain=Domain.everywhere(np.arange(VOCABULARY) < n, n),
        relations=edge_relations(problem.graph.adjacency),
        constraint=TourRule(problem.graph.adjacency, problem.cycle),
        sampling=sampling,
    )


def decode(problem: HamiltonianProblem, tokens: Tokens) -> Tour:
    """The vertices of tokens [n] by their place; of those at one place the lowest first.

    Clamped ones are at their own place in any draft, and the others around them.
    """
    tour = {position: vertex for vertex, position in problem.clamps}
    clamped = set(tour.values())
    free = (v for v in np.argsort(tokens, kind="stable").tolist() if v not in clamped)
    return tuple(tour[place] if place in tour else next(free) for place in range(len(tokens)))
