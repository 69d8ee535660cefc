"""Where exact searches run: threads of their own, of which there are only so many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from engine.cores import usable_cores
from solvers.stop import Stop

T = TypeVar("T")

#: Seconds until the answer of a search whose caller names none.
DEFAULT_LIMIT_S = 10.0
#: However patient the caller is: a search holds one of a few places while it runs.
LONGEST_S = 60.0
#: Seconds that a search has to return once its time is up and it has been told to stop.
_GRACE_S = 0.03


class SearchPool:
    """A bounded number of searches at once. A context manager: leaving it takes no more.

    Args:
        places: searches at once; None for one a core, and at least 4, so that a few long searches
            do not hold up all the short ones.
    """

    def __init__(self, places: int | None = None) -> None:
        self._threads = ThreadPoolExecutor(
            places or max(4, usable_cores()), thread_name_prefix="inkfill-search"
        )

    def __enter__(self) -> SearchPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take no more searches. Idempotent."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, search: Callable[[float, Stop], T], limit_s: float | None) -> T | None:
        """Search in a thread of the pool.

        Cancelling the awaiting task stops the search, or takes it out of the queue.

        Args:
            search: told the seconds that are left to it, and what stops it; blocking.
            limit_s: seconds until the answer, of which at most 60 are used; None for 10. Waiting
                for a place counts.

        Returns:
            What the search returned; None if no place came free in time, or if it did not return
            soon after its time was up. Then it holds its place until it heeds the stop.
        """
        seconds = DEFAULT_LIMIT_S if limit_s is None else min(LONGEST_S, max(0.01, limit_s))
        stop, end = Stop(), time.monotonic() + seconds
        place = self._threads.submit(lambda: search(end - time.monotonic(), stop))
        found = asyncio.wrap_future(place)
        try:
            await asyncio.wait([found], timeout=seconds)
            if place.cancel():  # it was still waiting
                return None
            stop.ask()
            await asyncio.wait([found], timeout=_GRACE_S)
            return await found if found.done() else None
        finally:
            stop.ask()
            found.cancel()
