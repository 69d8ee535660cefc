"""Stages of shared work: each part is done once, and nobody goes ahead."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from engine.kernels.cpu_stages import await_all, finish, new_stages, take

STAGES, PARTS = 30, 3


def test_a_part_is_taken_once_and_only_for_its_stage() -> None:
    stages = new_stages(2, 3)
    assert [take(stages, 0, part) for part in (0, 2, 0, 1, 2)] == [True, True, False, True, False]
    assert take(stages, 1, 0)


def test_a_stage_is_awaited_until_its_last_part_is_done() -> None:
    stages = new_stages(2, 2)
    finish(stages, 0)
    waiter = threading.Thread(target=await_all, args=(stages, 0))
    waiter.start()
    waiter.join(0.05)
    assert waiter.is_alive()
    finish(stages, 1)  # another stage
    waiter.join(0.05)
    assert waiter.is_alive()
    finish(stages, 0)
    waiter.join(10)
    assert not waiter.is_alive()
    await_all(stages, 0)  # is over, for whoever comes late


@njit(nogil=True)
def _add_up(member, stages, numbers):
    """Each part of a stage adds up all that the stage before has left."""
    for stage in range(stages.shape[0]):
        for turn in range(numbers.shape[1]):
            part = (member + turn) % numbers.shape[1]
            if take(stages, stage, part):
                numbers[stage + 1, part] = numbers[stage].sum() + part
                finish(stages, stage)
        await_all(stages, stage)


def test_members_see_what_others_have_written() -> None:
    expected = np.zeros((STAGES + 1, PARTS), np.int64)
    for stage in range(STAGES):
        expected[stage + 1] = expected[stage].sum() + np.arange(PARTS)
    _add_up(0, new_stages(1, 1), np.zeros((2, 1), np.int64))  # compiled
    with ThreadPoolExecutor(PARTS + 1) as pool:
        for _ in range(100):
            stages, numbers = new_stages(STAGES, PARTS), np.zeros_like(expected)
            members = range(PARTS + 1)  # one more than there are parts
            list(pool.map(_add_up, members, [stages] * len(members), [numbers] * len(members)))
            assert (numbers == expected).all()
