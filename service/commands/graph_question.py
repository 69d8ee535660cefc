"""A problem on a graph, asked of a server and its answer shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from inkfill.v1 import common_pb2, graph_pb2_grpc
from rich.live import Live

from service.commands.connection import connect
from service.commands.console import Exit, err, fail, out, print_line, run
from service.commands.graph_view import GraphView, pairs_line
from service.commands.headline import headline, words
from service.commands.server_option import naming_timeout
from solvers.graph.picture import to_svg


@dataclass(frozen=True)
class GraphQuestion:
    """What is asked.

    Attributes:
        method: of the graph service; with ``Stream`` behind it, the one that shows drafts.
        request: its message.
        view: shows what comes of it.
    """

    method: str
    request: Message
    view: GraphView


@dataclass(frozen=True)
class Output:
    """How the answer is given.

    Attributes:
        watch: drafts first, where there is a terminal.
        json: as a message, not for people.
        svg: where a picture goes as well.
    """

    watch: bool
    json: bool
    svg: Path | None


def ask(
    question: GraphQuestion, output: Output, server: str | None, timeout: float | None
) -> NoReturn:
    """Ask, show the answer and exit.

    Args:
        question: what is asked.
        output: how the answer is given.
        server: see ``connect``.
        timeout: seconds.
    """
    if output.svg is not None and (output.svg.is_dir() or not output.svg.parent.is_dir()):
        fail(f"--svg: got {str(output.svg)!r}, accepted: a file in a folder that is there")
    run(_ask(question, output, server, timeout))


async def _ask(
    question: GraphQuestion, output: Output, server: str | None, timeout: float | None
) -> int:
    async with connect(server) as channel:
        stub = graph_pb2_grpc.GraphStub(channel)
        with naming_timeout(timeout):
            if output.watch and not output.json:
                response = await _watch(stub, question, timeout)
            else:
                method = getattr(stub, question.method)
                with err.status("solving"):
                    response = await method(question.request, timeout=timeout)
    _print(question.view, response, output.json)
    if output.svg is not None:
        _draw(question.view, response, output.svg)
    return Exit.SOLVED if response.outcome == common_pb2.SOLVED else Exit.NOT_SOLVED


async def _watch(
    stub: graph_pb2_grpc.GraphStub, question: GraphQuestion, timeout: float | None
) -> Any:
    """Draw every draft where the output is a terminal; the response."""
    events = getattr(stub, f"{question.method}Stream")(question.request, timeout=timeout)
    with Live(console=out, auto_refresh=False, transient=True) as live:
        async for event in events:
            if event.HasField("response"):
                return event.response
            title = f"step {event.draft.step}, {words(event.draft.method)}"
            drawn = question.view.draft(event.draft, title, out.width, out.height)
            live.update(drawn, refresh=True)
    raise AssertionError  # a stream ends with its response, or with an error


def _print(view: GraphView, response: Any, json: bool) -> None:
    if json:
        print(MessageToJson(response, preserving_proto_field_name=True, indent=None), flush=True)
        return
    print_line(headline(response.outcome, response.report, view.facts(response)))
    for line in view.lines(response):
        print_line(line)
    if conflicts := view.conflicts(response):
        print_line(pairs_line(view.named, conflicts))


def _draw(view: GraphView, response: Any, file: Path) -> None:
    caption = ", ".join((common_pb2.Outcome.Name(response.outcome), *view.facts(response)))
    try:
        file.write_text(to_svg(view.picture(response, caption)), encoding="utf-8")
    except OSError as error:
        fail(f"--svg: {file}: {error.strerror or error}")
