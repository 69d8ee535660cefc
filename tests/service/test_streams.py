"""Streams of drafts and streams of results, without gRPC."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from service.streams import MAX_PENDING_DRAFTS, Final, as_finished, drafts_of


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_drafts_come_in_order_and_the_result_last() -> None:
    async def work(on_draft: Callable[[int], None]) -> str:
        for step in range(5):
            await asyncio.sleep(0)
            on_draft(step)
        return "done"

    assert [event async for event in drafts_of(work)] == [0, 1, 2, 3, 4, Final("done")]


async def test_work_that_shows_nothing_still_ends() -> None:
    async def work(_: Callable[[int], None]) -> str:
        return "done"

    assert [event async for event in drafts_of(work)] == [Final("done")]


async def test_a_failure_comes_after_the_drafts_before_it() -> None:
    async def work(on_draft: Callable[[int], None]) -> str:
        on_draft(1)
        raise ValueError("broken")

    events = drafts_of(work)
    assert await anext(events) == 1
    with pytest.raises(ValueError, match="broken"):
        await anext(events)


async def test_a_slow_reader_misses_the_oldest_drafts_and_never_the_result() -> None:
    async def work(on_draft: Callable[[int], None]) -> str:
        for step in range(1000):
            on_draft(step)
        return "done"

    events = [event async for event in drafts_of(work)]
    assert events == [*range(1000 - MAX_PENDING_DRAFTS, 1000), Final("done")]


async def test_closing_a_stream_of_drafts_cancels_its_work() -> None:
    ended = asyncio.Event()

    async def work(on_draft: Callable[[int], None]) -> str:
        try:
            on_draft(1)
            await asyncio.sleep(60)
        finally:
            ended.set()
        return "never"

    async with aclosing(drafts_of(work)) as events:
        assert await anext(events) == 1
    assert ended.is_set()


async def test_results_come_as_they_finish() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0.05 * (3 - number))
        return number

    assert [result async for result in as_finished(numbers(3), work, limit=3)] == [2, 1, 0]


async def test_no_more_is_in_flight_than_the_limit_and_nothing_is_lost() -> None:
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return number

    results = [result async for result in as_finished(numbers(50), work, limit=4)]
    assert sorted(results) == list(range(50))
    assert most == 4


async def test_a_slow_reader_holds_the_sender_back() -> None:
    sent = 0

    async def items() -> AsyncIterator[int]:
        nonlocal sent
        for number in range(100):
            sent += 1
            yield number

    async def work(number: int) -> int:
        return number

    async with aclosing(as_finished(items(), work, limit=3)) as results:
        await anext(results)
        await asyncio.sleep(0.05)
        assert sent <= 5


async def test_closing_a_stream_of_results_cancels_what_is_in_flight() -> None:
    cancelled = 0

    async def work(number: int) -> int:
        nonlocal cancelled
        if number == 2:
            return number
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return number

    async with aclosing(as_finished(numbers(3), work, limit=3)) as results:
        assert await anext(results) == 2
    assert cancelled == 2


async def test_a_sender_that_fails_ends_the_stream() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError("gone")

    async def work(number: int) -> int:
        return number

    with pytest.raises(ConnectionError):
        assert [result async for result in as_finished(items(), work, limit=2)]


async def test_a_slow_reader_misses_no_draft_that_is_kept():
    async def work(on_draft):
        for draft in range(1000):
            on_draft(draft)
        return "done"

    events = [e async for e in drafts_of(work, is_kept=lambda draft: draft % 100 == 0)]
    drafts = events[:-1]
    assert drafts == sorted(drafts)
    assert [draft for draft in drafts if draft % 100 == 0] == list(range(0, 1000, 100))
    assert len(drafts) == MAX_PENDING_DRAFTS
    assert drafts[-1] == 999
