"""What all commands share: consoles, exit statuses, and errors said in one line."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Coroutine
from typing import Any, NoReturn

import grpc
import typer
from rich.console import Console
from rich.text import Text

from service.client_errors import InkfillError, from_rpc_error
from service.commands.interruption import Interruption, end_by, until_signal
from service.commands.typed import as_typed
from service.settings import SettingsError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Exit(enum.IntEnum):
    """Exit statuses."""

    SOLVED = 0
    NOT_SOLVED = 1
    BAD_INPUT = 2


def print_line(line: str | Text, end: str = "\n") -> None:
    """Print as it is: a terminal may fold a long line, but what is copied from it stays whole."""
    out.print(line, soft_wrap=True, markup=False, end=end)


def fail(message: str, code: Exit = Exit.BAD_INPUT) -> NoReturn:
    """Say what is wrong on standard error and exit."""
    err.print(f"[bold red]error:[/] {_escape(message)}", soft_wrap=True)
    raise typer.Exit(code)


def run(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command's work and exit with its status; known errors become one line, signals none."""
    try:
        raise typer.Exit(asyncio.run(until_signal(work)))
    except SettingsError as error:
        fail(str(error))
    except grpc.aio.AioRpcError as error:
        fail_call(from_rpc_error(error))
    except InkfillError as error:
        fail_call(error)
    except Interruption as interruption:
        end_by(interruption)


def fail_call(error: InkfillError, source: str = "") -> NoReturn:
    """Say why a call failed, and which of many inputs it was about."""
    code = Exit.BAD_INPUT if error.is_callers else Exit.NOT_SOLVED
    said = as_typed(error)
    fail(f"{source}: {said}" if source else said, code)


def _escape(message: str) -> str:
    return message.replace("[", r"\[")
