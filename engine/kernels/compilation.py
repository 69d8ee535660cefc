"""Telling that kernels are being compiled, which takes far longer than loading compiled ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from numba.core import event

log = structlog.get_logger(__name__)

EXPECTED = "about 30 s, once; later starts load what is compiled now"


class _First(event.Listener):
    """Calls back when the first compilation begins."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._begun = threading.Lock()

    def on_start(self, _: event.Event) -> None:
        if self._begun.acquire(blocking=False):
            self._call()

    def on_end(self, _: event.Event) -> None:
        pass


@contextmanager
def watch_compilation(on_first: Callable[[], None]) -> Iterator[None]:
    """Call back as soon as numba compiles anything inside the block; not for code that it loads.

    Args:
        on_first: called at most once, in the thread that compiles.
    """
    with event.install_listener("numba:compile", _First(on_first)):
        yield


@contextmanager
def log_compilation() -> Iterator[None]:
    """Log that kernels are compiled in the block, if they are, and how long the block took then."""
    begun: list[float] = []

    def tell() -> None:
        begun.append(time.monotonic())
        log.info("compiling_kernels", expect=EXPECTED)

    with watch_compilation(tell):
        yield
    if begun:
        log.info("kernels_compiled", ms=round((time.monotonic() - begun[0]) * 1e3))
