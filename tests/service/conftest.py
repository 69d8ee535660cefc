"""A server on a free loopback port, and a channel to it."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator

import grpc
import pytest
import structlog

from service.server import Server
from service.settings import Settings, load_settings
from service.texts import TextModels
from tests.service.fakes import FakeEngine


@pytest.fixture(autouse=True)
def _untouched_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tests may configure logging and read settings; none leaves a trace."""
    for name in ("INKFILL_PORT", "INKFILL_CONFIG", "INKFILL_MODELS"):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def settings() -> Settings:
    return load_settings(
        port=0,
        max_many_in_flight=3,
        max_searches=2,
        shutdown_grace_s=5,
        max_message_bytes=65536,
    )


@pytest.fixture
def texts() -> TextModels:
    """The strings of the engine's models."""
    return {}


@pytest.fixture
async def server(
    engine: FakeEngine, settings: Settings, texts: TextModels
) -> AsyncIterator[Server]:
    running = Server(engine, settings, texts)
    await running.start()
    yield running
    await running.stop(0)


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.address) as opened:
        yield opened


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], object]:
    """Await ``eventually(condition)``: fails unless it comes true within two seconds."""
    import asyncio

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(2):
            while not condition():
                await asyncio.sleep(0.005)

    return wait
