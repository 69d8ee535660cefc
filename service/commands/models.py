"""``inkfill models``."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from inkfill.v1 import models_pb2, models_pb2_grpc
from rich.table import Table

from service.commands.connection import connect
from service.commands.console import Exit, out, run


def models(
    server: Annotated[
        str | None,
        typer.Option(
            help="host:port of a running server.", show_default="the bundled models, here"
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the response message as JSON.")
    ] = False,
) -> None:
    """List the models of a server: task, size, digest, device, limits."""
    run(_models(server, json))


async def _models(server: str | None, json: bool) -> int:
    async with connect(server) as channel:
        response = await models_pb2_grpc.ModelsStub(channel).List(models_pb2.ListModelsRequest())
    if json:
        print(MessageToJson(response, preserving_proto_field_name=True, indent=None))
    else:
        out.print(_table(response))
    return Exit.SOLVED


def _table(response: models_pb2.ListModelsResponse) -> Table:
    table = Table("model", "task", "parameters", "weights", "device", "precision", "longest canvas")
    for model in response.models:
        table.add_row(
            model.name,
            model.task,
            f"{model.parameters:,}",
            model.weights_digest[:12],
            model.device,
            model.precision,
            f"{model.canvas_length} tokens",
        )
    return table
