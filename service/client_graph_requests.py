"""What a client's graph calls send: plain values into messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar, Unpack

from inkfill.v1 import graph_pb2

from service.client_graph_answers import Edge
from service.client_messages import EffortOptions
from service.messages import effort_to
from solvers.base import Effort
from solvers.problem_error import ProblemError

#: A message that asks for vertices to be chosen.
C = TypeVar(
    "C", graph_pb2.IndependentSetRequest, graph_pb2.CliqueRequest, graph_pb2.VertexCoverRequest
)


class ColorOptions(EffortOptions, total=False):
    """What may be said beside a graph to colour; ``GraphCalls.color`` tells what it means.

    Attributes:
        colors: how many there are; may be left out with ``minimize``.
        clamps: vertex -> the colour that it has.
        minimize: whether to find the least number of colours.
        effort: how hard to try; the fields of ``EffortOptions`` that are given win over its own.
    """

    colors: int | None
    clamps: Mapping[int, int]
    minimize: bool
    effort: Effort | None


class ChoiceOptions(EffortOptions, total=False):
    """What may be said beside a graph to choose from; see ``GraphCalls.independent_set``.

    Attributes:
        include: vertices that must be chosen.
        exclude: vertices that must not.
        target_size: how many; None for the best there is.
        effort: as in ``ColorOptions``.
    """

    include: Iterable[int]
    exclude: Iterable[int]
    target_size: int | None
    effort: Effort | None


class PathOptions(EffortOptions, total=False):
    """What may be said beside a graph to walk; see ``GraphCalls.hamiltonian_path``.

    Attributes:
        cycle: whether an edge must lead from the last vertex back to the first.
        start: the vertex at place 0.
        end: the vertex at the last place.
        clamps: further vertices -> their places.
        effort: as in ``ColorOptions``.
    """

    cycle: bool
    start: int | None
    end: int | None
    clamps: Mapping[int, int]
    effort: Effort | None


def color_request(
    vertices: int,
    edges: Iterable[Edge],
    colors: int | None = None,
    clamps: Mapping[int, int] | None = None,
    minimize: bool = False,
    effort: Effort | None = None,
    **knobs: Unpack[EffortOptions],
) -> graph_pb2.ColorRequest:
    """The message that asks for a colouring; whether it makes sense, the server says.

    Raises:
        ProblemError: a number is no whole number from 0, or an edge no pair.
        EffortError: a number of the effort is out of range.
    """
    given = replace(effort or Effort(), **knobs)
    request = graph_pb2.ColorRequest(
        graph=_graph(vertices, edges), minimize=minimize, effort=effort_to(given)
    )
    with _refusing("colors"):
        request.MergeFrom(graph_pb2.ColorRequest(colors=colors))
    with _refusing("clamps"):
        for vertex, color in (clamps or {}).items():
            request.clamps.add(vertex=vertex, color=color)
    return request


def choice_request(
    kind: type[C],
    vertices: int,
    edges: Iterable[Edge],
    include: Iterable[int] = (),
    exclude: Iterable[int] = (),
    target_size: int | None = None,
    effort: Effort | None = None,
    **knobs: Unpack[EffortOptions],
) -> C:
    """The message that asks for an independent set, a clique or a cover; see ``color_request``."""
    given = replace(effort or Effort(), **knobs)
    request = kind(graph=_graph(vertices, edges), effort=effort_to(given))
    with _refusing("include"):
        request.include.extend(include)
    with _refusing("exclude"):
        request.exclude.extend(exclude)
    with _refusing("target_size"):
        request.MergeFrom(kind(target_size=target_size))
    return request


def path_request(
    vertices: int,
    edges: Iterable[Edge],
    cycle: bool = False,
    start: int | None = None,
    end: int | None = None,
    clamps: Mapping[int, int] | None = None,
    effort: Effort | None = None,
    **knobs: Unpack[EffortOptions],
) -> graph_pb2.HamiltonianPathRequest:
    """The message that asks for a path; see ``color_request``."""
    given = replace(effort or Effort(), **knobs)
    request = graph_pb2.HamiltonianPathRequest(
        graph=_graph(vertices, edges), cycle=cycle, effort=effort_to(given)
    )
    with _refusing("start"):
        request.MergeFrom(graph_pb2.HamiltonianPathRequest(start=start))
    with _refusing("end"):
        request.MergeFrom(graph_pb2.HamiltonianPathRequest(end=end))
    with _refusing("clamps"):
        for vertex, position in (clamps or {}).items():
            request.clamps.add(vertex=vertex, position=position)
    return request


def _graph(vertices: int, edges: Iterable[Edge]) -> graph_pb2.SimpleGraph:
    with _refusing("graph.vertices"):
        graph = graph_pb2.SimpleGraph(vertices=vertices)
    with _refusing("graph.edges", "pairs of whole numbers from 0"):
        graph.edges.extend(graph_pb2.Edge(a=a, b=b) for a, b in edges)
    return graph


@contextmanager
def _refusing(field: str, accepted: str = "whole numbers from 0") -> Iterator[None]:
    """Name the field of what no message can carry."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ProblemError(field, f"{error}; accepted: {accepted}") from None
