"""An event loop in a thread of its own, so that synchronous code can await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers in other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="inkfill-client", daemon=True
        )
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether coroutines can still be run."""
        return self._thread.is_alive()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return its result; an interrupt cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Go through an async generator; close it when the caller stops early."""
        try:
            while batch := self.call(_next(items)):
                yield from batch
        finally:
            if self.running:
                self.call(items.aclose())

    def stop(self) -> None:
        """End the loop and its thread."""
        if self.running:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def _next(items: AsyncGenerator[T, None]) -> list[T]:
    """The next item, or nothing after the last one."""
    async for item in items:
        return [item]
    return []
