"""Room for so many."""

import asyncio

from service.room import Room


async def hold(room: Room, count: int, seen: list[int], release: asyncio.Event) -> None:
    async with room.taken(count):
        seen.append(count)
        await release.wait()


async def start(*work: object) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(each) for each in work]
    await asyncio.sleep(0.01)
    return tasks


async def test_no_more_is_taken_than_there_is_and_nobody_overtakes() -> None:
    room, seen, release = Room(4), list[int](), asyncio.Event()
    first = await start(hold(room, 2, seen, release))
    rest = await start(*(hold(room, n, seen, release) for n in (3, 1)))
    assert seen == [2]
    release.set()
    async with asyncio.timeout(1):
        await asyncio.gather(*first, *rest)
    assert seen == [2, 3, 1]


async def test_who_wants_more_than_all_gets_all() -> None:
    async with asyncio.timeout(1), Room(4).taken(100):
        pass


async def test_places_come_back_from_those_who_fail_and_those_who_stop_waiting() -> None:
    room, seen, release = Room(2), list[int](), asyncio.Event()
    holding, waiting = await start(*(hold(room, 2, seen, release) for _ in range(2)))
    waiting.cancel()
    holding.cancel()
    await asyncio.wait([holding, waiting])
    async with asyncio.timeout(1), room.taken(2):
        assert seen == [2]
