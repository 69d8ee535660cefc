"""The threads in which exact searches run."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from solvers.search_pool import SearchPool
from solvers.stop import Stop


class Search:
    """Goes on until it is stopped, released or out of time."""

    def __init__(self) -> None:
        self.told_s: float | None = None
        self.begun, self.stopped, self.over = (threading.Event() for _ in range(3))
        self.release = threading.Event()

    def __call__(self, limit_s: float, stop: Stop) -> str:
        self.told_s = limit_s
        self.begun.set()

        def end() -> None:
            self.stopped.set()
            self.release.set()

        with stop.obeyed_by(end):
            self.release.wait(limit_s)
        self.over.set()
        return "found"


@pytest.fixture
def pool() -> Iterator[SearchPool]:
    with SearchPool(1) as opened:
        yield opened


async def begun(pool: SearchPool, search: Search, limit_s: float) -> asyncio.Task[str | None]:
    task = asyncio.create_task(pool.run(search, limit_s))
    assert await asyncio.to_thread(search.begun.wait, 2)
    return task


async def test_a_search_returns_what_it_found_and_is_told_its_time(pool: SearchPool) -> None:
    search = Search()
    search.release.set()
    assert await pool.run(search, 5.0) == "found"
    assert search.told_s == pytest.approx(5.0, abs=0.5)


@pytest.mark.parametrize(("limit_s", "told_s"), [(None, 10.0), (3600.0, 60.0)])
async def test_a_search_has_a_limit_whatever_the_callers_is(
    pool: SearchPool, limit_s: float | None, told_s: float
) -> None:
    search = Search()
    search.release.set()
    assert await pool.run(search, limit_s) == "found"
    assert search.told_s == pytest.approx(told_s, abs=0.5)


async def test_what_a_search_raises_reaches_the_caller(pool: SearchPool) -> None:
    def fail(limit_s: float, stop: Stop) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await pool.run(fail, 1.0)


async def test_cancelling_stops_a_search_that_runs(pool: SearchPool) -> None:
    search = Search()
    task = await begun(pool, search, 60.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(search.over.wait, 2)
    assert search.stopped.is_set()


async def test_what_is_cancelled_while_it_waits_never_begins(pool: SearchPool) -> None:
    first, second, third = Search(), Search(), Search()
    running = await begun(pool, first, 60.0)
    waiting = asyncio.create_task(pool.run(second, 60.0))
    last = asyncio.create_task(pool.run(third, 60.0))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    first.release.set()
    third.release.set()
    assert [await running, await last] == ["found", "found"]
    assert second.told_s is None


async def test_waiting_for_a_place_counts_against_the_limit(pool: SearchPool) -> None:
    first, second, third = Search(), Search(), Search()
    running = await begun(pool, first, 60.0)
    started = time.monotonic()
    patient = asyncio.create_task(pool.run(third, 30.0))
    assert await pool.run(second, 0.3) is None
    assert 0.25 < time.monotonic() - started < 2.0
    first.release.set()
    third.release.set()
    assert [await running, await patient] == ["found", "found"]
    assert second.told_s is None
    assert third.told_s is not None
    assert third.told_s <= 29.7


@pytest.mark.parametrize(("late_s", "found"), [(0.01, "found"), (1.0, None)])
async def test_a_search_that_keeps_no_time_is_stopped_and_not_waited_for(
    pool: SearchPool, late_s: float, found: str | None
) -> None:
    asked = threading.Event()

    def late(limit_s: float, stop: Stop) -> str:
        with stop.obeyed_by(asked.set):
            time.sleep(limit_s + late_s)
        return "found"

    started = time.monotonic()
    assert await pool.run(late, 0.4) == found
    assert time.monotonic() - started < 0.9
    assert asked.is_set()
