"""The threads in which prompts are encoded, and the line before them."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import grpc
import pytest

from service.encoding_pool import EncodingPool
from service.errors import WireError


class Encoding:
    """Takes until it is released."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.release = threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.release.wait(5)
        return "encoded"


@pytest.fixture
def pool() -> Iterator[EncodingPool]:
    opened = EncodingPool(max_queue=1, places=1)
    yield opened
    opened.close()


async def begun(pool: EncodingPool, work: Encoding) -> asyncio.Task[str]:
    task = asyncio.create_task(pool.run(work))
    assert await asyncio.to_thread(work.begun.wait, 2)
    return task


async def waiting(pool: EncodingPool, work: Callable[[], str]) -> asyncio.Task[str]:
    task = asyncio.create_task(pool.run(work))
    await asyncio.sleep(0.01)
    return task


async def test_what_the_work_returns_or_raises_reaches_the_caller(pool: EncodingPool) -> None:
    assert await pool.run(lambda: "encoded") == "encoded"
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0)
    assert await pool.run(lambda: "more") == "more"


async def test_more_than_may_wait_are_refused_until_there_is_room(pool: EncodingPool) -> None:
    work = Encoding()
    running = await begun(pool, work)
    patient = await waiting(pool, lambda: "patient")
    with pytest.raises(WireError, match=r"^the queue is full; try again in 1 s$") as caught:
        await pool.run(lambda: "refused")
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    work.release.set()
    assert [await running, await patient] == ["encoded", "patient"]
    assert await pool.run(lambda: "later") == "later"


async def test_what_is_cancelled_while_it_waits_is_not_encoded(pool: EncodingPool) -> None:
    work, never = Encoding(), Encoding()
    running = await begun(pool, work)
    gone = await waiting(pool, never)
    gone.cancel()
    await asyncio.wait([gone])
    follower = await waiting(pool, lambda: "takes the place in the line")
    work.release.set()
    assert await running == "encoded"
    assert await follower == "takes the place in the line"
    assert not never.begun.is_set()


async def test_what_has_begun_holds_its_place_though_its_caller_has_gone(
    pool: EncodingPool,
) -> None:
    work, second = Encoding(), Encoding()
    gone = await begun(pool, work)
    gone.cancel()
    await asyncio.wait([gone])
    follower = await waiting(pool, second)
    assert not second.begun.is_set()
    second.release.set()
    work.release.set()
    assert await follower == "encoded"


async def test_what_cannot_begin_leaves_its_place(pool: EncodingPool) -> None:
    pool.close()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="cannot schedule"):
            await asyncio.wait_for(pool.run(lambda: "never"), 2)
