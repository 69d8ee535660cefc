"""An independent set as a canvas, and back."""

from __future__ import annotations

import numpy as np

from engine.canvas import FREE, CanvasRequest, SamplingParams, Tokens
from engine.constraints import AtMostOne
from engine.constraints.at_most_one import CHOSEN, LEFT_OUT
from engine.domain import Domain
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.graph.network import edge_relations

#: Tokens of the checkpoint: left out, chosen.
VOCABULARY = 2

#: Training's rollout has a temperature of 0.6.
SAMPLING = SamplingParams(
    max_steps=64, t_min=0.5, t_max=0.7, entropy_bound=0.1, stability=4, confidence=0.005
)


def encode(problem: IndependentSetProblem, sampling: SamplingParams = SAMPLING) -> CanvasRequest:
    """The canvas of a graph: a position a vertex, chosen or not, its edges as relation and rule."""
    clamps = np.full(problem.graph.vertices, FREE)
    clamps[list(problem.include)] = CHOSEN
    clamps[list(problem.exclude)] = LEFT_OUT
    return CanvasRequest(
        clamps=clamps,
        domain=Domain.everywhere(np.ones(VOCABULARY, np.bool_), problem.graph.vertices),
        relations=edge_relations(problem.graph.adjacency),
        constraint=AtMostOne(problem.graph.adjacency, problem.target_size),
        sampling=sampling,
    )


def decode(tokens: Tokens) -> IndependentSet:
    """The chosen vertices of tokens [n]."""
    return tuple(np.flatnonzero(tokens == CHOSEN).tolist())
