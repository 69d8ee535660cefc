"""The solver of Hamiltonian paths: the parts that ``solvers.strategy`` puts together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.canvas import CanvasRequest, CanvasResult, Floats, SamplingParams, Tokens
from engine.client import ModelInfo
from solvers.base import Completion
from solvers.graph.defaults import GraphDefaults
from solvers.graph.hamiltonian import codec, exact
from solvers.graph.hamiltonian.checker import is_tour
from solvers.graph.hamiltonian.problem import HamiltonianProblem, Tour
from solvers.stop import Stop


@dataclass(frozen=True, kw_only=True)
class HamiltonianSolver(GraphDefaults):
    """See ``solvers.base.Solver`` and ``GraphDefaults``.

    Attributes:
        sampling: temperature, acceptance and stopping.
    """

    sampling: SamplingParams = codec.SAMPLING

    def contradiction(self, problem: HamiltonianProblem) -> bool:
        """Whether clamps clash, see ``problem.conflicts()``, or a cycle has under 3 vertices."""
        return bool(problem.conflicts()) or (problem.cycle and problem.graph.vertices < 3)

    def misfit(self, problem: HamiltonianProblem, model: ModelInfo) -> str | None:
        """Too many vertices for the model; see ``solvers.base.Solver``."""
        most = min(model.canvas_length, codec.VOCABULARY)
        if problem.graph.vertices <= most:
            return None
        return f"the model takes {most} vertices, this graph has {problem.graph.vertices}"

    @property
    def slow_layout(self) -> bool:
        """No."""
        return False

    def layout(self, problem: HamiltonianProblem) -> CanvasRequest:
        """See ``solvers.graph.hamiltonian.codec.encode``."""
        return codec.encode(problem, self.sampling)

    def decode(self, problem: HamiltonianProblem, tokens: Tokens) -> Tour:
        """Tokens [n] as a tour, right or wrong."""
        return codec.decode(problem, tokens)

    def check(self, problem: HamiltonianProblem, answer: Tour) -> bool:
        """See ``solvers.graph.hamiltonian.checker.is_tour``."""
        return is_tour(problem, answer)

    def complete(
        self,
        problem: HamiltonianProblem,
        belief: Floats | None,
        seed: int,
        limit_s: float,
        stop: Stop,
    ) -> Completion[Tour]:
        """See ``solvers.graph.hamiltonian.exact.complete``."""
        return exact.complete(problem, belief, seed, limit_s, stop)

    def badness(self, problem: HamiltonianProblem, result: CanvasResult) -> float:
        """Steps along no edge; among equals, the mean entropy decides."""
        tour = codec.decode(problem, result.tokens)
        following = tour[1:] + tour[:1] if problem.cycle else tour[1:]
        edges = problem.graph.adjacency
        missing = sum(not edges[a, b] for a, b in zip(tour, following, strict=False))
        return missing + float(np.tanh(result.entropy.mean()))
