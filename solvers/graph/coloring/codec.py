"""A colouring problem as a canvas, and back."""

from __future__ import annotations

import numpy as np

from engine.canvas import CanvasRequest, SamplingParams, Tokens
from engine.constraints import NotEqual
from engine.domain import Domain
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.coloring.symmetry import break_symmetry
from solvers.graph.network import edge_relations

#: Tokens of the colouring checkpoint: token c is colour c.
VOCABULARY = 32

#: Training's rollout has a temperature of 0.6 and a bound of 0.1; falling below the one and rising
#: above the other solves a little more.
SAMPLING = SamplingParams(
    max_steps=64, t_min=0.4, t_max=0.6, entropy_bound=1.0, stability=4, confidence=0.005
)


def encode(problem: ColoringProblem, sampling: SamplingParams = SAMPLING) -> CanvasRequest:
    """The canvas of a graph: a position a vertex, its colours as domain, its edges as relation.

    Given colours are clamps, and so are those of a large clique where that loses no generality:
    the model has learned with one, and which colour is which means nothing before.
    """
    colors = np.arange(VOCABULARY) < problem.colors
    return CanvasRequest(
        clamps=break_symmetry(problem),
        domain=Domain.everywhere(colors, problem.graph.vertices),
        relations=edge_relations(problem.graph.adjacency),
        constraint=NotEqual(problem.graph.adjacency),
        sampling=sampling,
    )


def decode(tokens: Tokens) -> Coloring:
    """Tokens [n] as plain integers."""
    return tuple(tokens.tolist())
