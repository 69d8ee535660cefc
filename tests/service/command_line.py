"""Runs commands as a shell would, and servers for them."""

from collections.abc import Iterator

from typer.testing import CliRunner, Result

from engine.engine import Engine
from service.commands.app import app
from service.loop_thread import LoopThread
from service.server import Server
from service.settings import load_settings
from tests.service.fakes import FakeEngine


def serving(engine: Engine | FakeEngine) -> Iterator[str]:
    async def started() -> Server:
        return await Server(engine, load_settings(port=0)).__aenter__()

    loop = LoopThread()
    server = loop.call(started())
    yield server.address
    loop.call(server.stop(0))
    loop.stop()


def inkfill(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)
