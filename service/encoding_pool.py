"""Where prompts are encoded: threads of their own, and a line of so many before them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from engine.cores import usable_cores
from service.errors import overloaded

T = TypeVar("T")


class EncodingPool:
    """A bounded number of prompts at once, and of prompts that wait. For one event loop.

    Args:
        max_queue: prompts that may wait for a place.
        places: prompts encoded at once; None for one a core, and at least 4, so that a few long
            ones do not hold up all the short ones.
    """

    def __init__(self, max_queue: int, places: int | None = None) -> None:
        places = places or max(4, usable_cores())
        self._max_queue = max_queue
        self._waiting = 0
        self._places = asyncio.Semaphore(places)
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="inkfill-encode")

    async def run(self, encode: Callable[[], T]) -> T:
        """Encode in a thread of the pool, first come, first served.

        Cancelling the awaiting task takes the prompt out of the line. What has begun goes on, and
        holds its place until it is done.

        Raises:
            WireError: RESOURCE_EXHAUSTED, too many wait.
            RuntimeError: the pool is closed, or the system starts no more threads.
        """
        if self._places.locked() and self._waiting >= self._max_queue:
            raise overloaded()
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            done = asyncio.get_running_loop().run_in_executor(self._threads, encode)
        except RuntimeError:
            self._places.release()
            raise
        done.add_done_callback(lambda _: self._places.release())
        return await asyncio.shield(done)

    def close(self) -> None:
        """Take no more prompts. Idempotent."""
        self._threads.shutdown(wait=False, cancel_futures=True)
