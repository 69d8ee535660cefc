"""``inkfill models``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from inkfill.v1 import models_pb2, models_pb2_grpc

from service.commands.connection import connect
from service.commands.console import Exit, fail, print_line, run
from service.commands.server_option import ServerOption, TimeoutOption, naming_timeout


def models(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="What the engine that is started here is to serve, as in `inkfill serve`; may be "
            "repeated. Only without --server.",
            show_default="what the settings say, or the bundled ones",
        ),
    ] = None,
    server: ServerOption = None,
    timeout: TimeoutOption = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the response message as JSON, digests of weights in full."
        ),
    ] = False,
) -> None:
    """List the models of a server: task, size, digest (its first 12 characters), device, tokens.

    Without --server those of an engine that is started here, which loads them to tell.

    Tokens are those of a canvas, and after the slash those of a text model's whole context.
    """
    if server is not None and model:
        fail("--model: is for an engine that is started here, accepted: only without --server")
    run(_models(model or (), json, server, timeout))


async def _models(
    models: Sequence[str], json: bool, server: str | None, timeout: float | None
) -> int:
    async with connect(server, models) as channel:
        stub = models_pb2_grpc.ModelsStub(channel)
        with naming_timeout(timeout):
            response = await stub.List(models_pb2.ListModelsRequest(), timeout=timeout)
    if json:
        print(MessageToJson(response, preserving_proto_field_name=True, indent=None))
    else:
        for line in _lines(response):
            print_line(line)
    return Exit.SOLVED


def _lines(response: models_pb2.ListModelsResponse) -> Iterator[str]:
    """A heading and a line a model, its columns as wide as their longest word."""
    rows = [("model", "task", "params", "weights", "device", "dtype", "tokens")]
    rows += [
        (
            model.name,
            model.task,
            f"{model.parameters:,}",
            model.weights_digest[:12],
            model.device,
            model.precision,
            _tokens(model),
        )
        for model in response.models
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _tokens(model: models_pb2.Model) -> str:
    """Of a canvas; and of a context, where there are prompts."""
    context = f"/{model.max_context}" if model.max_context else ""
    return f"{model.canvas_length}{context}"
