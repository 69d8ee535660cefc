"""What each error becomes on the wire."""

import asyncio
import io
import json
import logging
import re

import grpc
import pytest
import structlog

from engine.canvas import CanvasError
from engine.client import EngineOverloadedError, EngineStoppedError, UnknownModelError
from service.errors import invalid_argument, wire_error
from service.logging import bind_request_id, configure_logging
from solvers.base import EffortError
from solvers.problem_error import ProblemError
from tests.service.wire import violation

Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (invalid_argument("cells", "bad"), Code.INVALID_ARGUMENT),
        (UnknownModelError("x", ["y"]), Code.NOT_FOUND),
        (EngineOverloadedError("full"), Code.RESOURCE_EXHAUSTED),
        (EngineStoppedError("the engine has failed"), Code.UNAVAILABLE),
        (TimeoutError(), Code.DEADLINE_EXCEEDED),
        (asyncio.CancelledError(), Code.CANCELLED),
        (ZeroDivisionError("secret"), Code.INTERNAL),
        (AssertionError("secret"), Code.INTERNAL),
    ],
)
def test_every_error_has_its_code_and_says_nothing_it_should_not(
    error: BaseException, code: grpc.StatusCode
) -> None:
    wire = wire_error(error)
    assert wire.code is code
    assert wire.to_status().code == code.value[0]
    assert "secret" not in str(wire.to_status())


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (EffortError("max_steps", "got 0"), "effort.max_steps"),
        (ProblemError("cells[3]", "got 10"), "cells[3]"),
        (CanvasError("sampling.t_min", "got 0"), "sampling.t_min"),
    ],
)
def test_errors_of_the_inner_layers_name_the_field_of_the_request(
    error: Exception, field: str
) -> None:
    assert violation(wire_error(error).to_status())[0] == field


def test_a_long_message_is_cut_to_what_trailers_hold() -> None:
    status = invalid_argument("cells", "x" * 10**6).to_status()
    assert status.ByteSize() < 4096


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    return stream


def test_lines_for_people_have_colours_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (False, True):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda shown=terminal: shown)
        configure_logging("info", "console", stream)
        logging.getLogger("grpc").error("lost", exc_info=ValueError("it"))
        assert "ValueError: it" in re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
        assert ("\x1b[" in stream.getvalue()) == terminal


def test_the_standard_librarys_loggers_share_the_stream_and_the_request_id(
    log: io.StringIO,
) -> None:
    bind_request_id("r-1")
    logging.getLogger("grpc").warning("lost %s", "it")
    structlog.get_logger("ours").info("hello", cells=81)
    theirs, ours = (json.loads(line) for line in log.getvalue().splitlines())
    assert (theirs["event"], theirs["level"], theirs["logger"]) == (
        "lost it",
        "warning",
        "grpc",
    )
    assert (ours["event"], ours["cells"], ours["logger"]) == ("hello", 81, "ours")
    assert theirs["request_id"] == ours["request_id"] == "r-1"
    assert ours["time"].endswith("Z")


def test_levels_below_the_one_chosen_are_silent(log: io.StringIO) -> None:
    structlog.get_logger("ours").debug("detail")
    assert log.getvalue() == ""


def test_the_console_format_is_for_people() -> None:
    stream = io.StringIO()
    configure_logging("info", "console", stream)
    structlog.get_logger("ours").info("hello", cells=81)
    assert "hello" in stream.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(stream.getvalue())
