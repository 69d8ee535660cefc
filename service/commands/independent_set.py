"""``inkfill independent-set``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from inkfill.v1 import graph_pb2

from service.client_graph_requests import choice_request
from service.commands.choice_view import ChoiceView, Kind
from service.commands.console import fail
from service.commands.effort_options import (
    CandidatesOption,
    ExactOption,
    GuidanceOption,
    MaxStepsOption,
    SeedOption,
    effort_of,
)
from service.commands.graph_options import (
    FormatOption,
    GraphArgument,
    JsonOption,
    SvgOption,
    WatchOption,
    graph_in,
    vertices_in,
)
from service.commands.graph_question import GraphQuestion, Output, ask
from service.commands.server_option import ServerOption, TimeoutOption
from solvers.base import Guidance
from solvers.graph.named_graph import NamedGraph

#: The service's methods and what they take.
_MESSAGES: Mapping[Kind, tuple[str, Any]] = {
    Kind.INDEPENDENT_SET: ("IndependentSet", graph_pb2.IndependentSetRequest),
    Kind.CLIQUE: ("Clique", graph_pb2.CliqueRequest),
    Kind.VERTEX_COVER: ("VertexCover", graph_pb2.VertexCoverRequest),
}


def independent_set(
    file: GraphArgument,
    size: Annotated[
        int | None,
        typer.Option(
            help="How many vertices at least; at most for a vertex cover.",
            show_default="the best there is",
        ),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A vertex that must be chosen. May be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A vertex that must not. May be repeated."),
    ] = None,
    clique: Annotated[
        bool, typer.Option("--clique", help="Choose vertices that all share edges instead.")
    ] = False,
    vertex_cover: Annotated[
        bool,
        typer.Option(
            "--vertex-cover", help="Choose as few as possible, one of every edge at least, instead."
        ),
    ] = False,
    written_as: FormatOption = None,
    guidance: GuidanceOption = Guidance.AUTO,
    max_steps: MaxStepsOption = None,
    candidates: CandidatesOption = None,
    seed: SeedOption = None,
    exact: ExactOption = True,
    watch: WatchOption = False,
    json: JsonOption = False,
    svg: SvgOption = None,
    server: ServerOption = None,
    timeout: TimeoutOption = None,
) -> None:
    """Choose as many vertices as possible, no two of them joined by an edge.

    With --size N, any N will do. Cliques and vertex covers are variants of the same problem, and
    cannot be watched. Exits with 0 if there is an answer, 1 if not, 2 if the input is bad.

    \b
    Examples:
    inkfill independent-set docs/petersen.col
    inkfill independent-set docs/petersen.col --vertex-cover --size 6 --include 1
    """  # noqa: D301  # click takes a backspace for "do not fold this paragraph"
    kind = _kind(clique, vertex_cover)
    if watch and kind is not Kind.INDEPENDENT_SET:
        fail(f"--watch: got a {kind.value}, accepted: an independent set; only its drafts are sent")
    named = graph_in(file, written_as)
    _check_size(named, kind, size)
    included = vertices_in(named, include or (), "--include")
    excluded = vertices_in(named, exclude or (), "--exclude")
    for vertex in set(included).intersection(excluded):
        fail(f"--exclude: {named.names[vertex]} is also included, accepted: one of them")
    method, message = _MESSAGES[kind]
    request = choice_request(
        message,
        named.graph.vertices,
        named.graph.edges,
        include=included,
        exclude=excluded,
        target_size=size,
        effort=effort_of(guidance, max_steps, candidates, seed, exact),
    )
    view = ChoiceView(named, kind, size, included, excluded)
    ask(GraphQuestion(method, request, view), Output(watch, json, svg), server, timeout)


def _kind(clique: bool, vertex_cover: bool) -> Kind:
    if clique and vertex_cover:
        fail("--vertex-cover: got --clique too, accepted: one of them")
    if clique:
        return Kind.CLIQUE
    return Kind.VERTEX_COVER if vertex_cover else Kind.INDEPENDENT_SET


def _check_size(named: NamedGraph, kind: Kind, size: int | None) -> None:
    cover = kind is Kind.VERTEX_COVER
    least, most = 1 - cover, named.graph.vertices - cover
    if size is not None and not least <= size <= most:
        fail(f"--size: got {size}, accepted: {least} to {most}")
