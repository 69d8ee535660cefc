"""Slow work beside an event loop, for which the end of the program does not wait."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_NAME = "inkfill-background"


async def in_background(work: Callable[[], T]) -> T:
    """Do blocking work in a thread of its own, so that the event loop hears signals meanwhile.

    Unlike ``asyncio.to_thread``'s, the thread keeps neither the loop nor the interpreter from
    ending. Cancelling the awaiting task leaves it running, and forgets what comes of it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Callable[[], None]) -> None:
        if not done.done():
            result()

    def tell(result: Callable[[], None]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result)

    def run() -> None:
        try:
            value = context.run(work)
        except BaseException as error:  # noqa: BLE001  # the awaiting task raises it
            failure = error
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(value))

    threading.Thread(target=run, name=_NAME, daemon=True).start()
    return await done


def at_work() -> bool:
    """Whether anything still runs in the background."""
    return any(thread.name == _NAME for thread in threading.enumerate())
