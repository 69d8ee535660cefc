"""Errors name what was typed, not the field that carried it."""

import grpc
import pytest
import typer
from inkfill.v1 import canvas_pb2, graph_pb2

from service.client_errors import InkfillError, InvalidRequestError, Violation
from service.commands.app import app
from service.commands.typed import TYPED, as_typed


def refused(field: str, said: str) -> InvalidRequestError:
    error = InvalidRequestError(grpc.StatusCode.INVALID_ARGUMENT, said)
    error.violations = (Violation(field, "no"),)
    return error


def test_an_option_stands_in_for_its_field() -> None:
    assert as_typed(refused("sampling.max_steps", "sampling.max_steps: no")) == "--steps: no"


@pytest.mark.parametrize(
    "error",
    [
        refused("cells[3]", "cells[3]: no"),
        refused("max_tokens", "the template says: max_tokens"),
        InkfillError(grpc.StatusCode.INTERNAL, "max_tokens: no"),
    ],
)
def test_what_is_said_of_anything_else_stays(error: InkfillError) -> None:
    assert as_typed(error) == error.message


def test_every_field_is_one_and_every_option_too() -> None:
    messages = (canvas_pb2.GenerateRequest, graph_pb2.ColorRequest, graph_pb2.IndependentSetRequest)
    fields = set()
    for message in messages:
        for field in message.DESCRIPTOR.fields:
            inner = field.message_type.fields if field.message_type else ()
            fields |= {field.name, *(f"{field.name}.{each.name}" for each in inner)}
    commands = typer.main.get_command(app).commands.values()
    names = {name for command in commands for param in command.params for name in param.opts}
    assert set(TYPED) <= fields
    assert set(TYPED.values()) <= names
