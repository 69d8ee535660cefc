"""An end that threads reach and loops await."""

import asyncio
from collections.abc import Coroutine

from engine.ending import Ending


def test_a_loop_that_has_closed_keeps_nobody_waiting() -> None:
    ending = Ending()
    abandoned = ending.wait()

    async def begin(work: Coroutine[object, object, None]) -> None:
        work.send(None)

    async def wait_elsewhere() -> None:
        waiting = asyncio.create_task(ending.wait())
        await asyncio.sleep(0)
        await asyncio.to_thread(ending.reach)
        await asyncio.wait_for(waiting, 2)

    asyncio.run(begin(abandoned))
    asyncio.run(wait_elsewhere())
    abandoned.close()
