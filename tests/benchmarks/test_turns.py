"""Measurements take turns, and all that is found arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.turns import merged, turn


def test_only_one_has_its_turn(tmp_path: Path) -> None:
    lock, inside, most = str(tmp_path / "lock"), [], []

    def measure() -> None:
        with turn(lock):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=measure) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


def test_without_a_file_nobody_waits() -> None:
    with turn(""), turn(""):
        pass


def test_what_all_streams_yield_arrives_in_their_order() -> None:
    found = list(merged([iter(range(0, 50)), iter(range(100, 130)), iter(())]))
    assert [x for x in found if x < 100] == list(range(50))
    assert [x for x in found if x >= 100] == list(range(100, 130))


def test_a_stream_that_fails_does_not_stop_the_others() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    found: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        found.extend(merged([failing(), iter(range(10, 30))]))
    assert sorted(found) == [1, *range(10, 30)]
