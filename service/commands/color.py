"""``inkfill color``."""

from __future__ import annotations

from typing import Annotated

import typer

from service.client_graph_requests import color_request
from service.commands.coloring_view import ColoringView
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
)
from service.commands.graph_question import GraphQuestion, Output, ask
from service.commands.server_option import ServerOption, TimeoutOption
from solvers.base import Guidance
from solvers.graph.coloring.problem import MAX_COLORS


def color(
    file: GraphArgument,
    colors: Annotated[
        int | None,
        typer.Option(
            help="How many colours there are.",
            min=1,
            max=MAX_COLORS,
            show_default="as few as possible",
        ),
    ] = None,
    minimize: Annotated[
        bool,
        typer.Option(
            "--minimize",
            help="With --colors: find the fewest, at most so many. Without --colors, the fewest "
            "are looked for anyway.",
        ),
    ] = False,
    clamp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COLOR",
            help="A vertex that is coloured already; colours are numbered from 0. May be repeated.",
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
    """Colour a graph so that no edge joins two vertices of one colour.

    With --colors K in K colours, else in as few as possible. Exits with 0 if it is coloured, 1 if
    not, 2 if the input is bad.

    \b
    Examples:
    inkfill color docs/petersen.col
    inkfill color docs/petersen.col --colors 3 --clamp 1=0 --clamp 3=2 --watch
    """  # noqa: D301  # click takes a backspace for "do not fold this paragraph"
    named = graph_in(file, written_as)
    most = named.graph.vertices if colors is None else colors
    clamps = dict(clamps_in(named, clamp or (), "color", most))
    request = color_request(
        named.graph.vertices,
        named.graph.edges,
        colors=colors,
        clamps=clamps,
        minimize=minimize or colors is None,
        effort=effort_of(guidance, max_steps, candidates, seed, exact),
    )
    question = GraphQuestion("Color", request, ColoringView(named, most, clamps))
    ask(question, Output(watch, json, svg), server, timeout)
