"""A caller and its helper threads, to whom work on a batch is dealt a tile at a time.

Some kernels wake a helper on its caller's core, to keep the other cores asleep, and move it only
after milliseconds, when short work is done. So helpers keep off that core, and off each other's.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

#: Told the first and last of some canvases, and which member of the team it is in.
Work = Callable[[int, int, int], None]


class CpuTeam:
    """Treats the canvases of a batch. For one caller at a time."""

    def __init__(self, threads: int) -> None:
        """Start the helpers.

        Args:
            threads: members, the caller among them; at least 1.
        """
        self.threads = threads
        self._pool = ThreadPoolExecutor(max(1, threads - 1), "inkfill-decoder")
        weakref.finalize(self, self._pool.shutdown, wait=False)
        self._places = _Places(_identities(self._pool, threads - 1))

    def deal(self, batch: int, tile: int, work: Work) -> None:
        """Have ``batch`` canvases treated, ``tile`` at a time, by whoever is free.

        Returns when nobody works any more, also where one member fails.
        """
        starts = iter(range(0, batch, tile))

        def play(member: int) -> None:
            for first in starts:
                work(first, min(first + tile, batch), member)

        waiting = self._call(min(self.threads, -(-batch // tile)) - 1, play)
        try:
            play(0)
        finally:  # a batch that fails leaves nobody writing to scratch that the next one uses
            wait(waiting)
        for helper in waiting:
            helper.result()

    def join(self, members: int, work: Callable[[int], None]) -> None:
        """Have helpers join the caller in a work, ``members`` in all.

        The work is such that whoever does it returns when all of it is done, by whomever, and must
        not fail. So nobody is waited for: a helper that has not begun stays away, and one that is
        about to leave would take longer to be waited for than such work takes.

        Args:
            members: at most all.
            work: told which member it is in; the caller is 0.
        """
        helpers = self._call(members - 1, work)
        work(0)
        for helper in helpers:
            helper.cancel()

    def _call(self, helpers: int, work: Callable[[int], None]) -> list[Future[None]]:
        """Have so many helpers begin a work; none where the interpreter is about to end."""
        called: list[Future[None]] = []
        if helpers:
            self._places.keep_off_the_caller()
        for i in range(helpers):
            with suppress(RuntimeError):  # pools take no more then, while threads may still go on
                called.append(self._pool.submit(work, 1 + i))
        return called


class _Places:
    """The cores that helpers may run on; all of them where the system does not tell or obey."""

    def __init__(self, helpers: Sequence[int]) -> None:
        self._helpers = helpers
        self._caller_core = -1
        self._current_core = _current_core()
        self._cores = sorted(os.sched_getaffinity(0)) if self._current_core else []

    def keep_off_the_caller(self) -> None:
        """Give each helper a share of the cores that the caller does not run on.

        Helpers stay where they are while there are fewer cores than members.
        """
        if self._current_core is None or len(self._cores) <= len(self._helpers):
            return
        core = self._current_core()
        if core == self._caller_core:
            return
        self._caller_core = core
        others = [each for each in self._cores if each != core]
        for i, helper in enumerate(self._helpers):
            try:
                os.sched_setaffinity(helper, others[i :: len(self._helpers)])
            except OSError:  # a core has been taken from the process since
                self._current_core = None
                return


def _current_core() -> Callable[[], int] | None:
    """Which core the calling thread runs on, where the system can tell and obey."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


def _identities(pool: ThreadPoolExecutor, count: int) -> list[int]:
    """The system's numbers of the pool's threads, which all start now."""
    together = threading.Barrier(count) if count else None

    def identity() -> int:
        assert together is not None
        together.wait()
        return threading.get_native_id()

    return [task.result() for task in [pool.submit(identity) for _ in range(count)]]
