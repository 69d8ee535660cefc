"""An end for code that may have none, within its own thread.

A thread cannot be ended from outside. Python's trace function is called before every line of what
it follows, and may raise there; https://docs.python.org/3/library/sys.html#sys.settrace.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class TimeLimitError(RuntimeError):
    """The code has computed for too long."""


@contextmanager
def time_limit(seconds: float, filename: str) -> Iterator[None]:
    """Stop code that computes longer than this, between two of its lines or calls.

    Args:
        seconds: of this thread's own time, so that a busy machine changes nothing.
        filename: of the code, as it was compiled; what it calls is let finish.

    Raises:
        TimeLimitError: in that code.
    """
    end = time.thread_time() + seconds

    def follow(frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG001
        if frame.f_code.co_filename != filename:
            return None
        if time.thread_time() > end:
            raise TimeLimitError(f"computes for longer than {seconds:g} s")
        return follow

    before = sys.gettrace()
    sys.settrace(follow)
    try:
        yield
    finally:
        sys.settrace(before)
