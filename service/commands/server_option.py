"""``--server`` and ``--timeout``: which server a command calls, and how long it waits for it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import grpc
import typer

from service.commands.console import Exit, fail

#: Seconds. A year; gRPC takes much longer deadlines for past ones.
LONGEST_S = 366 * 86400

_ADDRESS = re.compile(r"(?P<host>[^:/\[\]\s]+|\[[0-9a-fA-F:.%\w]+\]):(?P<port>\d{1,5})")


def _check_address(address: str | None) -> str | None:
    """Refuse what is no ``host:port`` before it is dialled; gRPC would dial another port."""
    if address is None:
        return None
    found = _ADDRESS.fullmatch(address)
    if found is None or not 1 <= int(found["port"]) <= 65535:
        fail(
            f"--server: got {address!r}, accepted: host:port with a port from 1 to 65535, as in "
            "127.0.0.1:50051 or [::1]:50051"
        )
    return address


def _check_timeout(seconds: float | None) -> float | None:
    if seconds is not None and not 0 < seconds <= LONGEST_S:
        fail(f"--timeout: got {seconds:g}, accepted: above 0, to {LONGEST_S:.0f} seconds")
    return seconds


ServerOption = Annotated[
    str | None,
    typer.Option(
        callback=_check_address,
        help="host:port of a running server, which `inkfill serve` starts for its callers. Without "
        "it the command starts an engine of its own on this machine, with the bundled checkpoints "
        "unless told otherwise, and stops it afterwards.",
        show_default="none; an engine is started for the command",
    ),
]


TimeoutOption = Annotated[
    float | None,
    typer.Option(
        callback=_check_timeout, help="Seconds to wait for each answer.", show_default="no limit"
    ),
]


@contextmanager
def naming_timeout(limit: float | None) -> Iterator[None]:
    """Let a call that takes longer than the caller allowed say how long that was.

    Args:
        limit: seconds; None where no limit was given.
    """
    begun = time.monotonic()
    try:
        yield
    except grpc.aio.AioRpcError as error:
        # gRPC says INTERNAL of a stream whose time was up before its first message was written.
        late = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL)
        if limit is None or error.code() not in late or time.monotonic() - begun < limit:
            raise
        fail(f"--timeout: no answer within {limit:g} s", Exit.NOT_SOLVED)
