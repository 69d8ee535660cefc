"""The ``inkfill`` command's entry point: what has to be settled before anything is imported."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn


def main() -> None:
    """Run the command; an interrupt while its modules are imported ends it without a word."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGINT, signal.SIGTERM)}
    # gRPC's core writes lines of its own before the exception that we tell in our words.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from service.commands.app import app

    for number, handler in before.items():
        signal.signal(number, handler)
    app()


def _end(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)
