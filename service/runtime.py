"""From settings to a running server: load checkpoints, serve, stop on a signal."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
import torch

from engine.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from engine.config import ConfigError
from engine.engine import Engine
from engine.kernels.compilation import log_compilation
from engine.limits import EngineLimits
from service.address import check_address
from service.background import in_background
from service.server import Server
from service.servicers.graph_call import GRAPH_TASKS
from service.settings import Settings, SettingsError
from solvers.bundled import bundled_checkpoints
from solvers.graph.compilation import compile_searches

log = structlog.get_logger(__name__)


def load_models(settings: Settings) -> dict[str, Checkpoint]:
    """Load the checkpoints that the settings name, or the bundled ones.

    Raises:
        SettingsError: two folders have the same name, a checkpoint in them cannot be read, or the
            device is not there.
    """
    device = _device(settings.device)
    loaded = {}
    for name, folder in _folders(settings).items():
        started = time.monotonic()
        try:
            loaded[name] = load_checkpoint(folder, device)
        except (CheckpointError, ConfigError) as error:
            raise SettingsError(f"models: {error}") from error
        log.info(
            "model_loaded",
            model=name,
            device=str(device),
            digest=loaded[name].digest[:12],
            ms=round((time.monotonic() - started) * 1e3),
        )
    return loaded


@asynccontextmanager
async def running_server(settings: Settings) -> AsyncIterator[Server]:
    """A server with its own engine, started on entry and drained on exit."""
    with await in_background(lambda: _start_engine(settings)) as engine:
        async with Server(engine, settings) as server:
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


def _start_engine(settings: Settings) -> Engine:
    """Blocks for as long as loading and compiling take; an address in vain is refused before."""
    check_address(settings.host, settings.port)
    limits = EngineLimits(
        max_batch=settings.max_batch, max_queue=settings.max_queue, threads=settings.threads
    )
    models = load_models(settings)
    if any(checkpoint.config.task in GRAPH_TASKS for checkpoint in models.values()):
        with log_compilation():
            compile_searches()
    return Engine(models, limits)


def _on_signal(act: Callable[[], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, act)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    there = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= there:
        known = ", ".join(["cpu", *(f"cuda:{i}" for i in range(there))])
        raise SettingsError(f"device: got {name!r}, which PyTorch does not find; accepted: {known}")
    return device


def _folders(settings: Settings) -> dict[str, Path]:
    if not settings.models:
        return bundled_checkpoints()
    folders = {path.resolve().name: path for path in settings.models}
    if len(folders) < len(settings.models):
        raise SettingsError("models: two folders have the same name, which requests go by")
    return folders
