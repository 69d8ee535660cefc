"""A canvas under way in the engine, and how its caller's event loop hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.batcher import Ticket
from engine.canvas import CanvasResult, Draft
from engine.client import OnDraft


@dataclass(eq=False)
class Job(Ticket):
    """A ticket with the way back to its caller. Made in the caller's event loop.

    Attributes:
        model: name of the model that denoises it.
        on_draft: the caller's; called in its event loop.
        loop: the caller's.
        future: what the caller awaits.
    """

    model: str = ""
    on_draft: OnDraft | None = None
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        self.future: asyncio.Future[CanvasResult] = self.loop.create_future()


#: Something to tell a caller: a draft, a result, or why there is none.
News = tuple[Job, Draft | CanvasResult | Exception]


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
        if isinstance(what, Draft):
            _show(job, what)
        elif isinstance(what, CanvasResult):
            job.future.set_result(what)
        else:
            job.future.set_exception(what)


def _show(job: Job, draft: Draft) -> None:
    """Call back; a callback that raises fails its own canvas alone."""
    try:
        if job.on_draft is not None:
            job.on_draft(draft)
    except Exception as error:  # noqa: BLE001  # the caller's code, handed back to the caller
        job.cancelled = True
        job.future.set_exception(error)
