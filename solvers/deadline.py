"""When a search that works in slices is over: out of time, or called off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from solvers.stop import Stop


@contextmanager
def deadline(limit_s: float, stop: Stop | None = None) -> Iterator[Callable[[], bool]]:
    """Yield what to ask between slices of work: whether to end now.

    Args:
        limit_s: seconds from here; 0 or less is over at once.
        stop: ends it from another thread; None for never.
    """
    asked, end = threading.Event(), time.monotonic() + limit_s
    with (stop or Stop()).obeyed_by(asked.set):
        yield lambda: asked.is_set() or time.monotonic() >= end
