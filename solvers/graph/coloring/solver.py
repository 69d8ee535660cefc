"""The colouring solver: the parts that ``solvers.strategy`` puts together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.canvas import CanvasRequest, CanvasResult, Floats, SamplingParams, Tokens
from engine.client import ModelInfo
from solvers.base import Completion, Method
from solvers.graph.coloring import codec, completion
from solvers.graph.coloring.checker import is_coloring
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.stop import Stop


@dataclass(frozen=True, kw_only=True)
class ColoringSolver:
    """See ``solvers.base.Solver``.

    Attributes:
        unguided_steps: denoising steps of a candidate when the effort names none and something
            follows.
        guided_steps: the same, guided.
        last_steps: the same where nothing follows.
        default_candidates: of each kind of guidance when the effort names none.
        sampling: temperature, acceptance and stopping.
    """

    unguided_steps: int = 16
    guided_steps: int = 16
    last_steps: int = 64
    default_candidates: int = 4
    sampling: SamplingParams = codec.SAMPLING

    def default_steps(self, method: Method, last: bool) -> int:
        """See the attributes."""
        if last:
            return self.last_steps
        return self.guided_steps if method is Method.GUIDED_DIFFUSION else self.unguided_steps

    def contradiction(self, problem: ColoringProblem) -> bool:
        """Whether an edge joins clamps of one colour; ``problem.conflicts()`` names them."""
        return bool(problem.conflicts())

    def misfit(self, problem: ColoringProblem, model: ModelInfo) -> str | None:
        """Too many vertices or colours for the model; see ``solvers.base.Solver``."""
        vertices, colors = problem.graph.vertices, problem.colors
        if vertices <= model.canvas_length and colors <= model.vocabulary:
            return None
        return (
            f"the model takes {model.canvas_length} vertices and {model.vocabulary} colors, this "
            f"problem has {vertices} and {colors}"
        )

    @property
    def slow_layout(self) -> bool:
        """Yes: it looks for a large clique."""
        return True

    def layout(self, problem: ColoringProblem) -> CanvasRequest:
        """See ``solvers.graph.coloring.codec.encode``."""
        return codec.encode(problem, sampling=self.sampling)

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
