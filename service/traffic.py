"""Which calls are in flight, and how they are let finish when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import WireError, unavailable


class Traffic:
    """The calls in flight, each of which is a task.

    Attributes:
        draining: no further call is admitted.
        ended: the grace is over; what was still in flight has been cancelled by the server.
    """

    def __init__(self) -> None:
        self.draining = False
        self.ended = False
        self._calls: set[asyncio.Task[object]] = set()

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count the current task as a call in flight.

        Raises:
            WireError: UNAVAILABLE, the server is draining.
        """
        if self.draining:
            raise self.refusal()
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            yield
        finally:
            self._calls.discard(task)

    def refusal(self) -> WireError:
        """What a call is told that comes too late, or lasts too long."""
        return unavailable("the server is stopping")

    async def drain(self, grace_s: float) -> None:
        """Admit nothing more, wait up to ``grace_s`` for the rest, then cancel it."""
        self.draining = True
        if self._calls:
            await asyncio.wait(self._calls, timeout=grace_s)
        self.ended = True
        late = set(self._calls)
        for call in late:
            call.cancel()
        if late:
            await asyncio.wait(late)
