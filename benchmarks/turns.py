"""Processes that prepare beside each other and measure one after another."""

from __future__ import annotations

import fcntl
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def turn(lock: str) -> Iterator[None]:
    """Alone among all that name this file; at once where none is named."""
    if not lock:
        yield
        return
    with Path(lock).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def merged(streams: Sequence[Iterator[Item]]) -> Iterator[Item]:
    """What all yield, each run by a thread of its own, in the order in which it comes.

    Raises:
        Exception: the first that a stream raises, once all have ended.
    """
    found: queue.SimpleQueue[tuple[Item] | Exception | None] = queue.SimpleQueue()

    def run(stream: Iterator[Item]) -> None:
        try:
            for item in stream:
                found.put((item,))
        except Exception as error:  # noqa: BLE001  # raised below
            found.put(error)
        found.put(None)

    threads = [threading.Thread(target=run, args=(stream,), daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    failed: list[Exception] = []
    going = len(threads)
    while going:
        item = found.get()
        if isinstance(item, tuple):
            yield item[0]
        elif item is None:
            going -= 1
        else:
            failed.append(item)
    if failed:
        raise failed[0]
