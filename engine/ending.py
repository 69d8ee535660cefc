"""An end that one thread reaches and any event loop can await."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class Ending:
    """Reached once, for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reached = False
        self._waiting: set[asyncio.Future[None]] = set()

    def reach(self) -> None:
        """Let everyone go on who waits, now or later. Idempotent."""
        with self._lock:
            self._reached = True
            waiting = tuple(self._waiting)
        for future in waiting:
            with suppress(RuntimeError):  # the loop closed with those who waited in it
                future.get_loop().call_soon_threadsafe(_release, future)

    async def wait(self) -> None:
        """Return once the end is reached."""
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._reached:
                return
            self._waiting.add(future)
        try:
            await future
        finally:
            with self._lock:
                self._waiting.discard(future)


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
