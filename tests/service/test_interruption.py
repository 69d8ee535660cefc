"""A signal ends a command without a word, whenever it comes."""

import asyncio
import os
import signal
import sys

import pytest

from service.background import in_background

SLOW_START = """
import time
from service.background import in_background
from service.commands.console import run

async def work():
    try:
        await in_background(lambda: (print("started", flush=True), time.sleep(60)))
    finally:
        print("cleaned up", flush=True)

run(work())
"""
INTERRUPTED_IMPORT = """
import sys
from service.cli import main

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "service.commands.app":
            print("started", flush=True)
            sys.stdin.read()

sys.meta_path.insert(0, Finder())
main()
"""


async def interrupted(program: str, number: int) -> tuple[int | None, str, str]:
    """Status and output of a program that is sent a signal once it says that it has started."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"started\n"
    process.send_signal(number)
    async with asyncio.timeout(10):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_work_in_the_background_does_not_hold_up_the_end(number: int, status: int) -> None:
    assert await interrupted(SLOW_START, number) == (status, "cleaned up\n", "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_while_modules_are_imported_ends_the_command(
    number: int, status: int
) -> None:
    assert await interrupted(INTERRUPTED_IMPORT, number) == (status, "", "")


async def test_what_the_background_returns_or_raises_comes_back() -> None:
    assert await in_background(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_background(lambda: 1 // 0)


async def test_work_whose_caller_has_gone_is_forgotten() -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    waiting = asyncio.create_task(
        in_background(lambda: asyncio.run_coroutine_threadsafe(ended.wait(), loop).result())
    )
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    ended.set()
    await asyncio.sleep(0.05)
