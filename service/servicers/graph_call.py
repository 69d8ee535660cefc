"""How a call of the graph service has its problem solved: by which model, how hard, until when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import grpc
from inkfill.v1 import graph_pb2

from engine.client import EngineClient
from service.servicers.deadline import limit_s
from service.servicers.graph_responses import draft_message
from solvers.base import CandidateDraft, Effort, Solution, Solver
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.coloring.solver import ColoringSolver
from solvers.graph.hamiltonian.problem import HamiltonianProblem, Tour
from solvers.graph.hamiltonian.solver import HamiltonianSolver
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.graph.independent_set.solver import IndependentSetSolver
from solvers.optimise import Objective, Optimum, optimise
from solvers.search_pool import SearchPool
from solvers.strategy import solve

P = TypeVar("P")
A = TypeVar("A")

#: Told each draft, ready to be sent.
Show = Callable[[graph_pb2.GraphDraft], None]


@dataclass(frozen=True)
class GraphTask(Generic[P, A]):
    """A kind of problem.

    Attributes:
        name: the task of its checkpoints.
        solver: what solves it.
        goal: what a canvas of a problem is to reach, see ``GraphDraft.goal``.
    """

    name: str
    solver: Solver[P, A]
    goal: Callable[[P], int]


COLORING: GraphTask[ColoringProblem, Coloring] = GraphTask(
    "coloring", ColoringSolver(), lambda problem: problem.colors
)
INDEPENDENT_SET: GraphTask[IndependentSetProblem, IndependentSet] = GraphTask(
    "independent-set", IndependentSetSolver(), lambda problem: problem.target_size
)
HAMILTONIAN: GraphTask[HamiltonianProblem, Tour] = GraphTask(
    "hamiltonian", HamiltonianSolver(), lambda _: 0
)
#: What any of the service's methods needs a model for.
GRAPH_TASKS = (COLORING.name, INDEPENDENT_SET.name, HAMILTONIAN.name)


@dataclass(frozen=True, kw_only=True)
class GraphCall(Generic[P, A]):
    """One call.

    Attributes:
        task: the kind of problem.
        engine: where canvases are denoised.
        model: name of a model for the task.
        searches: where exact completion runs.
        effort: how hard to try.
        context: knows the caller's deadline.
        show: told the drafts; None where nobody asked for them.
    """

    task: GraphTask[P, A]
    engine: EngineClient
    model: str
    searches: SearchPool
    effort: Effort
    context: grpc.aio.ServicerContext[Any, Any]
    show: Show | None = None

    async def solve(self, problem: P) -> Solution[A]:
        """See ``solvers.strategy.solve``."""
        return await solve(
            self.task.solver,
            problem,
            self.effort,
            self.engine,
            self.model,
            searches=self.searches,
            on_draft=None if self.show is None else partial(self._draft, problem),
            limit_s=limit_s(self.context),
        )

    async def optimise(self, objective: Objective[P, A], incumbent: A | None) -> Optimum[A]:
        """See ``solvers.optimise.optimise``."""
        return await optimise(
            self.task.solver,
            objective,
            self.effort,
            self.engine,
            self.model,
            searches=self.searches,
            incumbent=incumbent,
            on_draft=None if self.show is None else self._draft,
            limit_s=limit_s(self.context),
        )

    def _draft(self, problem: P, draft: CandidateDraft) -> None:
        assert self.show is not None
        self.show(draft_message(self.task.goal(problem), draft))
