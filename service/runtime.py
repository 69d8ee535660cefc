"""From settings to a running server: load checkpoints, serve, stop on a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from engine.config import ConfigError
from engine.engine import Engine
from engine.kernels.compilation import log_compilation
from engine.limits import EngineLimits
from service.address import check_address
from service.background import in_background
from service.model_loading import load_models
from service.server import Server
from service.servicers.graph_call import GRAPH_TASKS
from service.settings import Settings, SettingsError
from service.texts import TextModels
from solvers.graph.compilation import compile_searches


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[Server]:
    """A server with its own engine, started on entry and drained on exit."""
    engine, texts = await in_background(lambda: _start_engine(settings))
    with engine:
        async with Server(engine, settings, texts) as server:
            yield server


async def serve(settings: Settings, on_ready: Callable[[Server], None] = lambda _: None) -> None:
    """Serve until SIGINT or SIGTERM, then drain; a second signal ends the calls in flight.

    Signals that come before the server is ready are the caller's.
    """
    stopping, hurrying = asyncio.Event(), list[asyncio.Task[None]]()
    async with running_server(settings) as server:
        _on_signal(stopping.set)
        on_ready(server)
        await stopping.wait()
        _on_signal(lambda: hurrying.append(asyncio.create_task(server.stop(0))))


def _start_engine(settings: Settings) -> tuple[Engine, TextModels]:
    """Blocks for as long as loading and compiling take; an address in vain is refused before."""
    check_address(settings.host, settings.port)
    limits = EngineLimits(
        max_batch=settings.max_batch,
        max_queue=settings.max_queue,
        threads=settings.threads,
        max_context=settings.max_context,
    )
    models = load_models(settings)
    if any(checkpoint.config.task in GRAPH_TASKS for checkpoint in models.checkpoints.values()):
        with log_compilation():
            compile_searches()
    try:
        return Engine(models.checkpoints, limits), models.texts
    except (ConfigError, MemoryError) as error:
        raise SettingsError(f"models: {error}") from error


def _on_signal(act: Callable[[], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, act)
