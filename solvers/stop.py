"""How a search that runs in one thread is called off from another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop:
    """Asked for by whoever no longer wants an answer, obeyed by the search."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._ends: list[Callable[[], None]] = []

    def ask(self) -> None:
        """End the search: now, as it begins if it has not begun, not at all if it is over."""
        with self._lock:
            self._asked = True
            for end in self._ends:
                end()

    @contextmanager
    def obeyed_by(self, end: Callable[[], None]) -> Iterator[None]:
        """Search inside; ``end`` is called, from any thread, once that is no longer wanted.

        It is called on entry where the stop was asked for before, and never after the exit.
        """
        with self._lock:
            self._ends.append(end)
            if self._asked:
                end()
        try:
            yield
        finally:
            with self._lock:
                self._ends.remove(end)
