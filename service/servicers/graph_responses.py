"""Solutions of graph problems as messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from inkfill.v1 import graph_pb2

from service.messages import method_to, report_to
from solvers.base import CandidateDraft, Outcome, Solution
from solvers.graph.coloring.fewest import FewestColors, compact
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.graph import Edge
from solvers.graph.hamiltonian.problem import HamiltonianProblem, Tour
from solvers.graph.independent_set.checker import is_clique, is_vertex_cover
from solvers.graph.independent_set.largest import LargestSet
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.optimise import Optimum

R = TypeVar(
    "R",
    graph_pb2.ColorResponse,
    graph_pb2.IndependentSetResponse,
    graph_pb2.CliqueResponse,
    graph_pb2.VertexCoverResponse,
    graph_pb2.HamiltonianPathResponse,
)


def draft_message(goal: int, draft: CandidateDraft) -> graph_pb2.GraphDraft:
    """A draft, and what its canvas is to reach; tokens mean what the message's values do."""
    return graph_pb2.GraphDraft(
        step=draft.draft.step,
        values=draft.draft.tokens.tolist(),
        accepted=draft.draft.accepted.tolist(),
        entropy=draft.draft.entropy.tolist(),
        candidate=draft.candidate,
        method=method_to(draft.method),
        goal=goal,
    )


def color_response(
    problem: ColoringProblem, solution: Solution[Coloring] | Optimum[Coloring]
) -> graph_pb2.ColorResponse:
    """A colouring, or what there is of one."""
    colors = solution.answer or ()
    response = graph_pb2.ColorResponse(
        outcome=solution.outcome.name,
        vertex_colors=colors,
        colors_used=len(set(colors)),
        report=report_to(solution.report),
    )
    return _with_conflicts(response, problem, solution.outcome)


def fewest_response(objective: FewestColors, optimum: Optimum[Coloring]) -> graph_pb2.ColorResponse:
    """The best colouring, its colours as low as clamps let them be, and what is proved of it."""
    if optimum.outcome is Outcome.SOLVED and optimum.answer is not None:
        optimum = replace(optimum, answer=compact(objective.problem, optimum.answer))
    response = color_response(objective.problem, optimum)
    response.proved_optimal = optimum.proved
    response.lower_bound = objective.bound
    if optimum.outcome is Outcome.UNSATISFIABLE:
        response.lower_bound = max(objective.bound, objective.problem.colors + 1)
    elif optimum.proved:
        assert optimum.answer is not None
        response.lower_bound = max(optimum.answer) + 1
    return response


@dataclass(frozen=True)
class Choice:
    """What is known of an independent set, and so of a clique or a cover.

    Attributes:
        problem: what was asked.
        found: the set, if there is one, and how it was reached.
        upper_bound: no set is larger; None where only a target was asked for.
    """

    problem: IndependentSetProblem
    found: Solution[IndependentSet] | Optimum[IndependentSet]
    upper_bound: int | None = None

    @property
    def proved(self) -> bool:
        """Whether the set is the largest."""
        return isinstance(self.found, Optimum) and self.found.proved


def largest(objective: LargestSet, optimum: Optimum[IndependentSet]) -> Choice:
    """The largest set, and what is proved of its size."""
    bound = len(optimum.answer or ()) if optimum.proved else objective.bound
    return Choice(objective.problem, optimum, bound)


def independent_set_response(choice: Choice) -> graph_pb2.IndependentSetResponse:
    """An independent set, or what there is of one."""
    response = graph_pb2.IndependentSetResponse(
        outcome=choice.found.outcome.name,
        vertices=choice.found.answer or (),
        proved_optimal=choice.proved,
        upper_bound=choice.upper_bound,
        report=report_to(choice.found.report),
    )
    return _with_conflicts(response, choice.problem, choice.found.outcome)


def clique_response(request: graph_pb2.CliqueRequest, choice: Choice) -> graph_pb2.CliqueResponse:
    """A clique, of a choice from the complement.

    Raises:
        WrongAnswerError: it is none in the graph of the request.
    """
    if choice.found.outcome is Outcome.SOLVED:
        _refuse_wrong(is_clique(_edges(request.graph), choice.found.answer or ()), "clique")
    response = graph_pb2.CliqueResponse(
        outcome=choice.found.outcome.name,
        vertices=choice.found.answer or (),
        proved_optimal=choice.proved,
        upper_bound=choice.upper_bound,
        report=report_to(choice.found.report),
    )
    return _with_conflicts(response, choice.problem, choice.found.outcome)


def vertex_cover_response(
    request: graph_pb2.VertexCoverRequest, choice: Choice
) -> graph_pb2.VertexCoverResponse:
    """A vertex cover, of a choice of what it leaves out.

    Raises:
        WrongAnswerError: it is none in the graph of the request.
    """
    n, left_out = choice.problem.graph.vertices, choice.found.answer
    cover = () if left_out is None else sorted(set(range(n)).difference(left_out))
    if choice.found.outcome is Outcome.SOLVED:
        _refuse_wrong(is_vertex_cover(_edges(request.graph), cover), "vertex cover")
    response = graph_pb2.VertexCoverResponse(
        outcome=choice.found.outcome.name,
        vertices=cover,
        proved_optimal=choice.proved,
        lower_bound=None if choice.upper_bound is None else n - choice.upper_bound,
        report=report_to(choice.found.report),
    )
    return _with_conflicts(response, choice.problem, choice.found.outcome)


def path_response(
    problem: HamiltonianProblem, solution: Solution[Tour]
) -> graph_pb2.HamiltonianPathResponse:
    """A path, or what there is of one."""
    response = graph_pb2.HamiltonianPathResponse(
        outcome=solution.outcome.name,
        vertices=solution.answer or (),
        report=report_to(solution.report),
    )
    return _with_conflicts(response, problem, solution.outcome)


class WrongAnswerError(RuntimeError):
    """An answer that a check refused: a fault of ours, which is not called an answer."""


def _refuse_wrong(right: bool, what: str) -> None:
    if not right:
        raise WrongAnswerError(f"what was found is no {what}")


def _edges(graph: graph_pb2.SimpleGraph) -> list[Edge]:
    """The edges as the request has them."""
    return [(edge.a, edge.b) for edge in graph.edges]


def _with_conflicts(
    response: R,
    problem: ColoringProblem | IndependentSetProblem | HamiltonianProblem,
    outcome: Outcome,
) -> R:
    """The response, and why there is no answer if the givens alone are the reason.

    They may be 130,816 edges. One is added after the other, because all at once would hold the
    interpreter, and with it the event loop, for a tenth of a second.
    """
    if outcome is Outcome.UNSATISFIABLE:
        for a, b in problem.conflicts():
            response.conflicts.add(a=a, b=b)
    return response
