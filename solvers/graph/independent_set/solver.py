"""The independent-set solver: the parts that ``solvers.strategy`` puts together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.canvas import CanvasRequest, CanvasResult, Floats, SamplingParams, Tokens
from engine.client import ModelInfo
from solvers.base import Completion
from solvers.graph.defaults import GraphDefaults
from solvers.graph.independent_set import codec, exact
from solvers.graph.independent_set.checker import is_independent_set
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.stop import Stop


@dataclass(frozen=True, kw_only=True)
class IndependentSetSolver(GraphDefaults):
    """See ``solvers.base.Solver`` and ``GraphDefaults``.

    Attributes:
        sampling: temperature, acceptance and stopping.
    """

    sampling: SamplingParams = codec.SAMPLING

    def contradiction(self, problem: IndependentSetProblem) -> bool:
        """Whether an edge joins two included vertices; ``problem.conflicts()`` names them."""
        return bool(problem.conflicts())

    def misfit(self, problem: IndependentSetProblem, model: ModelInfo) -> str | None:
        """Too many vertices for the model; see ``solvers.base.Solver``."""
        if problem.graph.vertices <= model.canvas_length:
            return None
        return (
            f"the model takes {model.canvas_length} vertices, this graph has "
            f"{problem.graph.vertices}"
        )

    @property
    def slow_layout(self) -> bool:
        """No."""
        return False

    def layout(self, problem: IndependentSetProblem) -> CanvasRequest:
        """See ``solvers.graph.independent_set.codec.encode``."""
        return codec.encode(problem, self.sampling)

    def decode(self, problem: IndependentSetProblem, tokens: Tokens) -> IndependentSet:  # noqa: ARG002
        """The chosen vertices of tokens [n], right or wrong."""
        return codec.decode(tokens)

    def check(self, problem: IndependentSetProblem, answer: IndependentSet) -> bool:
        """See ``solvers.graph.independent_set.checker.is_independent_set``."""
        return is_independent_set(problem, answer)

    def complete(
        self,
        problem: IndependentSetProblem,
        belief: Floats | None,
        seed: int,
        limit_s: float,
        stop: Stop,
    ) -> Completion[IndependentSet]:
        """See ``solvers.graph.independent_set.exact.complete``."""
        return exact.complete(problem, belief, seed, limit_s, stop)

    def badness(self, problem: IndependentSetProblem, result: CanvasResult) -> float:
        """Edges within the set and vertices missing; among equals, the mean entropy decides."""
        chosen = list(codec.decode(result.tokens))
        inside = int(problem.graph.adjacency[np.ix_(chosen, chosen)].sum()) // 2
        missing = max(0, problem.target_size - len(chosen))
        return inside + missing + float(np.tanh(result.entropy.mean()))
