"""Who goes next: first come, first served, but nobody takes all places."""

from __future__ import annotations

import numpy as np
import pytest

from engine.canvas import CanvasRequest
from engine.client import EngineOverloadedError
from engine.job import Job
from engine.waiting import WaitingLine


class Places:
    """As much of a lane as a line of waiting asks: so many places, not for what is too large."""

    def __init__(self, count: int, room: int = 1000) -> None:
        self.count, self.room = count, room
        self.jobs: list[Job] = []

    @property
    def free(self) -> int:
        return self.count - len(self.jobs)

    def has_room(self, job: Job) -> bool:
        return job.request.length <= self.room

    def admit(self, job: Job) -> None:
        self.jobs.append(job)


def job(group: int = 0, length: int = 1, model: str = "m") -> Job:
    return Job.of(model, CanvasRequest(clamps=np.full(length, -1), group=group), None)


def groups(lane: Places) -> list[int]:
    return [job.request.group for job in lane.jobs]


async def test_single_canvases_go_in_order_and_fill_all_places() -> None:
    line, lane, jobs = WaitingLine(10), Places(4), [job() for _ in range(6)]
    for one in jobs:
        line.add(one)
    line.admit("m", lane)
    assert lane.jobs == jobs[:4]
    assert len(line) == 2


async def test_a_group_alone_gets_half_of_the_places() -> None:
    line, lane = WaitingLine(300), Places(64)
    for _ in range(256):
        line.add(job(group=7))
    line.admit("m", lane)
    assert groups(lane) == [7] * 32


async def test_whoever_comes_after_a_large_group_finds_a_place_at_once() -> None:
    line, lane = WaitingLine(2000), Places(64)
    for group in range(1, 5):
        for _ in range(256):
            line.add(job(group=group))
    line.admit("m", lane)
    assert [groups(lane).count(group) for group in range(1, 5)] == [32, 16, 8, 4]
    late = job()
    line.add(late)
    line.admit("m", lane)
    assert late in lane.jobs


async def test_what_is_too_large_now_holds_up_those_behind_it() -> None:
    line, lane = WaitingLine(10), Places(4, room=5)
    small, large, behind = job(), job(length=9), job()
    for one in (small, large, behind):
        line.add(one)
    line.admit("m", lane)
    assert lane.jobs == [small]
    lane.room = 9
    line.admit("m", lane)
    assert lane.jobs == [small, large, behind]


async def test_models_wait_apart_but_share_the_limit() -> None:
    line, lane = WaitingLine(2), Places(4)
    line.add(job(model="other"))
    mine = job()
    line.add(mine)
    with pytest.raises(EngineOverloadedError, match="2 canvases are waiting"):
        line.add(job())
    line.admit("m", lane)
    assert lane.jobs == [mine]
    line.discard(mine)  # it was taken: nothing to forget
    assert len(line) == 1


async def test_whoever_gave_up_is_not_taken_and_makes_room_in_the_line() -> None:
    line, lane = WaitingLine(2), Places(4)
    gone, stays, comes = job(), job(), job()
    line.add(gone)
    line.add(stays)
    line.discard(gone)
    line.add(comes)
    line.admit("m", lane)
    assert lane.jobs == [stays, comes]


async def test_a_cleared_line_has_nobody_to_take() -> None:
    line, lane = WaitingLine(2), Places(4)
    line.add(job())
    line.add(job(model="other"))
    line.clear()
    assert len(line) == 0
    line.admit("m", lane)
    assert lane.jobs == []
