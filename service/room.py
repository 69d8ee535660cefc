"""Room for so many: how bulk work waits for its turn instead of being refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """Places that are taken several at once, in the order of asking. For one event loop.

    Args:
        places: how many there are.
    """

    def __init__(self, places: int) -> None:
        self._places = self._free = places
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, count: int) -> AsyncIterator[None]:
        """Wait for ``count`` places and hold them inside; who wants more than all gets all."""
        count = min(count, self._places)
        async with self._turn:
            while self._free < count:
                self._freed.clear()
                await self._freed.wait()
            self._free -= count
        try:
            yield
        finally:
            self._free += count
            self._freed.set()
