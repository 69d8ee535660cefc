"""``inkfill hamiltonian``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from service.client_graph_requests import path_request
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
    clamps_in,
    graph_in,
    vertex_in,
)
from service.commands.graph_question import GraphQuestion, Output, ask
from service.commands.server_option import ServerOption, TimeoutOption
from service.commands.tour_view import TourView
from solvers.base import Guidance
from solvers.graph.named_graph import NamedGraph


def hamiltonian(
    file: GraphArgument,
    cycle: Annotated[
        bool, typer.Option("--cycle", help="Lead back to the start along an edge.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The first vertex.", show_default="any"),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The last vertex.", show_default="any"),
    ] = None,
    clamp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PLACE",
            help="A vertex whose place is given; places are numbered from 0. May be repeated.",
        ),
    ] = None,
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
    """Visit every vertex of a graph once, along its edges.

    Exits with 0 if there is a way, 1 if not, 2 if the input is bad.

    \b
    Examples:
    inkfill hamiltonian docs/petersen.col --start 1 --watch
    inkfill hamiltonian docs/petersen.col --cycle
    """  # noqa: D301  # click takes a backspace for "do not fold this paragraph"
    named = graph_in(file, written_as)
    given = clamps_in(named, clamp or (), "place", named.graph.vertices)
    for option, name, place in (("--start", start, 0), ("--end", end, named.graph.vertices - 1)):
        if name is not None:
            given.append((vertex_in(named, name, option), place))
    places = _places(named, given)
    request = path_request(
        named.graph.vertices,
        named.graph.edges,
        cycle=cycle,
        clamps=places,
        effort=effort_of(guidance, max_steps, candidates, seed, exact),
    )
    question = GraphQuestion("HamiltonianPath", request, TourView(named, cycle, places))
    ask(question, Output(watch, json, svg), server, timeout)


def _places(named: NamedGraph, given: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Vertex -> place; a vertex at two places or a place of two vertices ends the command."""
    place_of: dict[int, int] = {}
    vertex_at: dict[int, int] = {}
    for vertex, place in given:
        name = named.names[vertex]
        if (other := place_of.setdefault(vertex, place)) != place:
            fail(f"{name} is given places {other} and {place}, accepted: one place a vertex")
        if (first := vertex_at.setdefault(place, vertex)) != vertex:
            fail(
                f"place {place} is given to {named.names[first]} and {name}, accepted: one vertex "
                "a place"
            )
    return place_of
