"""SIGINT and SIGTERM: they end a command's work in order, and then the command, without a word."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

import typer

from service.background import at_work

T = TypeVar("T")


class Interruption(Exception):  # noqa: N818  # nothing is wrong
    """A signal came; ``number`` is its."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


async def until_signal(work: Coroutine[Any, Any, T]) -> T:
    """Do the work; SIGINT and SIGTERM cancel it, unless it comes to handle them itself.

    Raises:
        Interruption: the work was cancelled by a signal, and has ended.
    """
    heard: list[int] = []
    task = asyncio.ensure_future(work)

    def cancel(number: int) -> None:
        heard.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, cancel, number)
    try:
        return await task
    except BaseException as error:
        # An interrupted call may fail in its own way, which is not what ended the command.
        if heard:
            raise Interruption(heard[0]) from error
        raise


def end_by(interruption: Interruption) -> NoReturn:
    """Exit with 128 + the signal's number, as shells report it."""
    status = 128 + interruption.number
    if at_work():  # the interpreter must not be taken down under compiled code that still runs
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise typer.Exit(status)
