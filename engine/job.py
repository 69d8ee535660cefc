"""A request under way in the engine, and how its caller's event loop hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.canvas import CanvasResult
from engine.text.request import TextResult
from engine.ticket import Event, Request, Result, Ticket


@dataclass(eq=False)
class Job(Ticket[Any]):
    """A ticket with the way back to its caller. Made in the caller's event loop.

    Attributes:
        model: name of the model that works on it.
        on_event: the caller's; called in its event loop.
        loop: the caller's.
        future: what the caller awaits.
    """

    model: str = ""
    on_event: Callable[[Any], None] | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        self.future: asyncio.Future[Any] = self.loop.create_future()

    @classmethod
    def of(cls, model: str, request: Request, on_event: Callable[[Any], None] | None) -> Job:
        """A request to a model; without ``on_event`` no event is made."""
        return cls(request, on_event is not None, model=model, on_event=on_event)


#: Something to tell a caller: an event, a result, or why there is none.
News = tuple[Job, Event | Result | Exception]


def tell(news: Sequence[News]) -> None:
    """Deliver from any thread, to each event loop in one call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[News]] = {}
    for item in news:
        by_loop.setdefault(item[0].loop, []).append(item)
    for loop, items in by_loop.items():
        try:
            loop.call_soon_threadsafe(_deliver, items)
        except RuntimeError:  # the loop closed with its callers
            for job, _ in items:
                job.cancelled = True


def _deliver(items: Sequence[News]) -> None:
    for job, what in items:
        if job.future.done():
            continue
        if isinstance(what, CanvasResult | TextResult):
            job.future.set_result(what)
        elif isinstance(what, Exception):
            job.future.set_exception(what)
        else:
            _show(job, what)


def _show(job: Job, event: Event) -> None:
    """Call back; a callback that raises fails its own request alone."""
    try:
        if job.on_event is not None:
            job.on_event(event)
    except Exception as error:  # noqa: BLE001  # the caller's code, handed back to the caller
        job.cancelled = True
        job.future.set_exception(error)
