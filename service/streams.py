"""Two shapes of stream: the drafts of one piece of work, and the results of many pieces."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

D = TypeVar("D")
R = TypeVar("R")
T = TypeVar("T")

#: Drafts that wait for a slow reader; beyond that the oldest is dropped.
MAX_PENDING_DRAFTS = 64


@dataclass(frozen=True)
class Final(Generic[R]):
    """The last event of ``drafts_of``: what the work returned."""

    value: R


async def drafts_of(
    start: Callable[[Callable[[D], None]], Coroutine[Any, Any, R]],
    is_kept: Callable[[D], bool] = lambda _: False,
) -> AsyncGenerator[D | Final[R], None]:
    """Run ``start(on_draft)``; yield each draft, in order, then ``Final`` of the result.

    Closing the generator cancels the work.

    Args:
        start: the work.
        is_kept: of a draft, whether a slow reader may not miss it.
    """
    pending: deque[D] = deque()
    wake = asyncio.Event()

    def on_draft(draft: D) -> None:
        if len(pending) >= MAX_PENDING_DRAFTS:
            _drop_oldest(pending, is_kept)
        pending.append(draft)
        wake.set()

    work = asyncio.create_task(start(on_draft))
    work.add_done_callback(lambda _: wake.set())
    try:
        while pending or not work.done():
            if not pending:
                await wake.wait()
                wake.clear()
            while pending:
                yield pending.popleft()
        yield Final(work.result())
    finally:
        await _cancel([work])


def _drop_oldest(pending: deque[D], is_kept: Callable[[D], bool]) -> None:
    """Drop the oldest draft that may be missed, if there is one."""
    for index, draft in enumerate(pending):
        if not is_kept(draft):
            del pending[index]
            return


async def as_finished(
    items: AsyncIterable[T], work: Callable[[T], Coroutine[Any, Any, R]], limit: int
) -> AsyncGenerator[R, None]:
    """Work on up to ``limit`` items together; yield each result as soon as it is there.

    No further item is asked for while ``limit`` are in flight or a result waits to be taken, so
    a slow model and a slow reader both hold the sender back. Closing the generator cancels the
    work.
    """
    source = aiter(items)
    running: set[asyncio.Task[R]] = set()
    reading: set[asyncio.Task[list[T]]] = {asyncio.create_task(_next(source))}
    exhausted = False
    try:
        while running or reading:
            waiting: set[asyncio.Task[Any]] = {*running, *reading}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for finished in done & running:
                running.discard(finished)
                yield finished.result()
            for read in done & reading:
                reading.discard(read)
                running.update(asyncio.create_task(work(item)) for item in read.result())
                exhausted = not read.result()
            if not reading and not exhausted and len(running) < limit:
                reading.add(asyncio.create_task(_next(source)))
    finally:
        await _cancel([*running, *reading])


async def _next(source: AsyncIterator[T]) -> list[T]:
    """The next item, or nothing after the last one."""
    async for item in source:
        return [item]
    return []


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
