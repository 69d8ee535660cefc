"""A channel to a server: the one that the caller names, or one started here for the command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path

import grpc

from service.background import in_background
from service.commands.console import err
from service.logging import configure_logging
from service.settings import load_settings


@asynccontextmanager
async def connect(
    server: str | None, models: Sequence[Path | str] = ()
) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel.

    Args:
        server: ``host:port`` of a running server; None starts one in this process, on a free
            loopback port, and stops it afterwards.
        models: checkpoint folders or Hub names for a server that is started here; none leaves them
            to the environment and to what is bundled.
    """
    if server is not None:
        async with grpc.aio.insecure_channel(server) as channel:
            yield channel
        return
    configure_logging("warning", "console")
    settings = load_settings(
        host="127.0.0.1", port=0, shutdown_grace_s=0.0, models=tuple(models) or None
    )
    async with AsyncExitStack() as stack:
        with err.status("starting the engine (the first start compiles its kernels, about 30 s)"):
            # It takes seconds to import, which a server elsewhere need not wait for.
            await in_background(lambda: import_module("service.runtime"))
            from engine.kernels.compilation import watch_compilation
            from service.runtime import running_server

            with watch_compilation(_tell_compiling):
                own = await stack.enter_async_context(running_server(settings))
        channel = grpc.aio.insecure_channel(own.address)
        yield await stack.enter_async_context(channel)


def _tell_compiling() -> None:
    """In a line for those who do not see the status."""
    if not err.is_terminal:
        err.print("compiling the engine's kernels (about 30 s, once)")
