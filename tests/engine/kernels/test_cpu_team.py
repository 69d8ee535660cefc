"""Work is dealt to a team once each, and its helpers keep off the core of their caller."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels import cpu_team
from engine.kernels.cpu_team import CpuTeam

needs_places = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="a thread's cores can be chosen on Linux, where there are several",
)


@pytest.fixture
def cores() -> Iterator[list[int]]:
    """The cores of this thread, which gets them back."""
    before = os.sched_getaffinity(0)
    yield sorted(before)
    os.sched_setaffinity(0, before)


def cores_of_members(team: CpuTeam) -> dict[int, set[int]]:
    """Where each member may run while all of them work."""
    together, seen = threading.Barrier(team.threads), dict[int, set[int]]()

    def work(first: int, last: int, member: int) -> None:  # one canvas each
        together.wait(timeout=10)
        seen[member] = os.sched_getaffinity(0)

    team.deal(team.threads, 1, work)
    return seen


@given(st.integers(1, 3), st.integers(1, 30), st.integers(1, 9))
def test_every_canvas_is_treated_once(threads: int, batch: int, tile: int) -> None:
    treated, members = list[int](), set[int]()

    def work(first: int, last: int, member: int) -> None:
        assert 0 < last - first <= tile
        treated.extend(range(first, last))
        members.add(member)

    CpuTeam(threads).deal(batch, tile, work)
    assert sorted(treated) == list(range(batch))
    assert members <= set(range(threads))


@needs_places
def test_helpers_keep_off_the_core_of_their_caller(cores: list[int]) -> None:
    team = CpuTeam(2)
    for core in (*cores[:2], cores[0]):
        os.sched_setaffinity(0, {core})
        assert cores_of_members(team)[1] == {*cores} - {core}


@needs_places
def test_helpers_stay_where_they_are_on_fewer_cores_than_members(cores: list[int]) -> None:
    os.sched_setaffinity(0, {cores[0]})
    assert cores_of_members(CpuTeam(2))[1] == {cores[0]}


@needs_places
def test_a_core_that_is_taken_away_stops_nobody(
    cores: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: int, chosen: object) -> None:
        raise OSError

    team = CpuTeam(2)
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert cores_of_members(team)[1] == {*cores}


def test_helpers_share_the_other_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict[int, list[int]]()
    monkeypatch.setattr(cpu_team, "_current_core", lambda: lambda: 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", given.__setitem__, raising=False)
    team = CpuTeam(4)
    team.deal(4, 1, lambda *_: None)
    assert sorted(given.values()) == [[0, 3, 7], [1, 4], [2, 6]]


def test_a_system_without_places_deals_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_team, "_current_core", lambda: None)
    treated = list[int]()
    CpuTeam(2).deal(5, 2, lambda first, last, _: treated.extend(range(first, last)))
    assert sorted(treated) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("members", [1, 2, 3])
def test_members_join_in_a_work(members: int) -> None:
    together, seen = threading.Barrier(members), set[int]()

    def work(member: int) -> None:
        together.wait(timeout=10)
        seen.add(member)

    CpuTeam(3).join(members, work)
    assert 0 in seen
    assert seen <= set(range(members))


def test_a_helper_that_has_not_begun_when_all_is_done_stays_away() -> None:
    team, busy, ended = CpuTeam(2), threading.Event(), threading.Event()
    team.join(2, lambda member: ended.wait(10) if member else busy.wait(0.2))
    seen = list[int]()
    team.join(2, seen.append)  # the helper is still at the work before
    ended.set()
    team.join(1, seen.append)
    assert seen == [0, 0]


def test_a_caller_works_alone_once_the_interpreter_lends_no_threads() -> None:
    script = """
import subprocess
import sys
import threading
from engine.kernels.cpu_team import CpuTeam

def work_on():
    threading.main_thread().join()  # pools take nothing more now
    treated = list()
    team.deal(3, 1, lambda first, last, member: treated.append((first, member)))
    team.join(2, treated.append)
    print(treated)

team = CpuTeam(2)
threading.Thread(target=work_on).start()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[(0, 0), (1, 0), (2, 0), 0]\n", done.stderr
