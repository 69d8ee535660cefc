"""What a client's graph calls get: messages as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from inkfill.v1 import graph_pb2

from service.messages import method_from, outcome_from, report_from
from solvers.base import Method, Outcome, Report

#: Two vertices; in answers the smaller first.
Edge = tuple[int, int]

T = TypeVar("T")


@dataclass(frozen=True)
class ColorAnswer:
    """What is known of a colouring.

    Attributes:
        outcome: SOLVED, UNSATISFIABLE or UNDECIDED.
        vertex_colors: of each vertex: the answer, the best draft if UNDECIDED, empty if there is
            none.
        colors_used: how many different ones.
        conflicts: edges whose ends are clamped to one colour.
        proved_optimal: whether fewer colours are proved not to suffice.
        lower_bound: fewer than these are proved not to suffice; None without ``minimize``.
        report: how it was reached.
    """

    outcome: Outcome
    vertex_colors: tuple[int, ...]
    colors_used: int
    conflicts: tuple[Edge, ...]
    proved_optimal: bool
    lower_bound: int | None
    report: Report


@dataclass(frozen=True)
class ChoiceAnswer:
    """What is known of an independent set, a clique or a vertex cover.

    Attributes:
        outcome: SOLVED, UNSATISFIABLE or UNDECIDED.
        vertices: ascending: the answer, the best draft if UNDECIDED, empty if there is none.
        conflicts: pairs of vertices, included ones or, of a cover, excluded ones, that cannot be.
        proved_optimal: whether it is proved that none is larger or, of a cover, smaller.
        bound: no answer is larger or, of a cover, smaller; None with a ``target_size``.
        report: how it was reached.
    """

    outcome: Outcome
    vertices: tuple[int, ...]
    conflicts: tuple[Edge, ...]
    proved_optimal: bool
    bound: int | None
    report: Report


@dataclass(frozen=True)
class PathAnswer:
    """What is known of a Hamiltonian path.

    Attributes:
        outcome: SOLVED, UNSATISFIABLE or UNDECIDED.
        vertices: in the order of the path: the answer, the best draft if UNDECIDED, empty if there
            is none.
        conflicts: pairs that are clamped to successive places and share no edge.
        report: how it was reached.
    """

    outcome: Outcome
    vertices: tuple[int, ...]
    conflicts: tuple[Edge, ...]
    report: Report


@dataclass(frozen=True)
class GraphDraft:
    """The canvas after a denoising step; see ``GraphDraft`` in graph.proto."""

    step: int
    values: tuple[int, ...]
    accepted: tuple[bool, ...]
    entropy: tuple[float, ...]
    candidate: int
    method: Method | None
    goal: int


def color_answer(response: graph_pb2.ColorResponse) -> ColorAnswer:
    """The answer that a message carries."""
    return ColorAnswer(
        outcome=outcome_from(response.outcome),
        vertex_colors=tuple(response.vertex_colors),
        colors_used=response.colors_used,
        conflicts=_pairs(response.conflicts),
        proved_optimal=response.proved_optimal,
        lower_bound=response.lower_bound if response.HasField("lower_bound") else None,
        report=report_from(response.report),
    )


def choice_answer(
    response: graph_pb2.IndependentSetResponse
    | graph_pb2.CliqueResponse
    | graph_pb2.VertexCoverResponse,
) -> ChoiceAnswer:
    """The answer that a message carries."""
    is_cover = isinstance(response, graph_pb2.VertexCoverResponse)
    bound = "lower_bound" if is_cover else "upper_bound"
    return ChoiceAnswer(
        outcome=outcome_from(response.outcome),
        vertices=tuple(response.vertices),
        conflicts=_pairs(response.conflicts),
        proved_optimal=response.proved_optimal,
        bound=getattr(response, bound) if response.HasField(bound) else None,
        report=report_from(response.report),
    )


def path_answer(response: graph_pb2.HamiltonianPathResponse) -> PathAnswer:
    """The answer that a message carries."""
    return PathAnswer(
        outcome=outcome_from(response.outcome),
        vertices=tuple(response.vertices),
        conflicts=_pairs(response.conflicts),
        report=report_from(response.report),
    )


def graph_event(event: Any, answer: Callable[[Any], T]) -> GraphDraft | T:
    """A draft, or what ``answer`` makes of the response that ends a stream."""
    if event.HasField("response"):
        return answer(event.response)
    draft = event.draft
    return GraphDraft(
        step=draft.step,
        values=tuple(draft.values),
        accepted=tuple(draft.accepted),
        entropy=tuple(draft.entropy),
        candidate=draft.candidate,
        method=method_from(draft.method),
        goal=draft.goal,
    )


def _pairs(edges: Iterable[graph_pb2.Edge]) -> tuple[Edge, ...]:
    return tuple((edge.a, edge.b) for edge in edges)
