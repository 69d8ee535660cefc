"""The colouring solver: the parts that ``solvers.strategy`` puts together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.canvas import CanvasRequest, CanvasResult, Floats, SamplingParams, Tokens
from engine.client import ModelInfo
from solvers.base import Completion
from solvers.graph.coloring import codec, completion
from solvers.graph.coloring.checker import is_coloring
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.defaults import GraphDefaults
from solvers.stop import Stop


@dataclass(frozen=True, kw_only=True)
class ColoringSolver(GraphDefaults):
    """See ``solvers.base.Solver`` and ``GraphDefaults``.

    Attributes:
        sampling: temperature, acceptance and stopping.
    """

    sampling: SamplingParams = codec.SAMPLING

    def contradiction(self, problem: ColoringProblem) -> bool:
        """Whether an edge joins clamps of one colour; ``problem.conflicts()`` names them."""
        return bool(problem.conflicts())

    def misfit(self, problem: ColoringProblem, model: ModelInfo) -> str | None:
        """Too many vertices or colours for the model; see ``solvers.base.Solver``."""
        vertices, colors = problem.graph.vertices, problem.colors
        if vertices <= model.canvas_length and colors <= codec.VOCABULARY:
            return None
        return (
            f"the model takes {model.canvas_length} vertices and {codec.VOCABULARY} colors, this "
            f"problem has {vertices} and {colors}"
        )

    @property
    def slow_layout(self) -> bool:
        """Yes: it looks for a large clique."""
        return True

    def layout(self, problem: ColoringProblem) -> CanvasRequest:
        """See ``solvers.graph.coloring.codec.encode``."""
        return codec.encode(problem, self.sampling)

    def decode(self, problem: ColoringProblem, tokens: Tokens) -> Coloring:  # noqa: ARG002
        """Tokens [n] as a colouring, right or wrong."""
        return codec.decode(tokens)

    def check(self, problem: ColoringProblem, answer: Coloring) -> bool:
        """See ``solvers.graph.coloring.checker.is_coloring``."""
        return is_coloring(problem, answer)

    def complete(
        self,
        problem: ColoringProblem,
        belief: Floats | None,
        seed: int,
        limit_s: float,
        stop: Stop,
    ) -> Completion[Coloring]:
        """See ``solvers.graph.coloring.completion.complete``."""
        return completion.complete(problem, belief, seed, limit_s, stop)

    def badness(self, problem: ColoringProblem, result: CanvasResult) -> float:
        """Edges whose ends are equal; among equals, the mean entropy decides."""
        equal = result.tokens[:, None] == result.tokens
        conflicts = int((equal & problem.graph.adjacency).sum()) // 2
        return conflicts + float(np.tanh(result.entropy.mean()))
