"""How far the loading of a model is: a bar on a terminal, and elsewhere an event now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

log = structlog.get_logger(__name__)

#: Seconds of which nothing is shown: small models take less.
QUIET_S = 2.0
#: Seconds between two events.
EVERY_S = 5.0


class LoggedProgress:
    """Logs ``model_loading`` every few seconds."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._started = time.monotonic()
        self._next = self._started + QUIET_S

    def __call__(self, done_bytes: int, total_bytes: int, /) -> None:
        """Hear of bytes that are done, and of how many there are in all."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY_S
        log.info(
            "model_loading",
            model=self._model,
            percent=round(100 * done_bytes / max(total_bytes, 1)),
            done_bytes=done_bytes,
            total_bytes=total_bytes,
            bytes_per_s=round(done_bytes / max(now - self._started, 1e-9)),
        )


class ProgressBar:
    """Shows bytes, rate and time left on a terminal."""

    def __init__(self, model: str, console: Console) -> None:
        self._model = model
        self._started = time.monotonic()
        self._task: TaskID | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )

    def __call__(self, done_bytes: int, total_bytes: int, /) -> None:
        """Hear of bytes that are done, and of how many there are in all."""
        if self._task is None:
            if time.monotonic() < self._started + QUIET_S:
                return
            self._task = self._bar.add_task(f"loading {self._model}", total=total_bytes)
            self._bar.start()
        self._bar.update(self._task, completed=done_bytes)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


@contextmanager
def loading_progress(model: str) -> Iterator[ProgressBar | LoggedProgress]:
    """What to tell how far the loading of ``model`` is."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield LoggedProgress(model)
        return
    bar = ProgressBar(model, console)
    try:
        yield bar
    finally:
        bar.close()
