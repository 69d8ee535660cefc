"""What a command says while it starts a server of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numba
import pytest

from service.commands.connection import connect
from service.server import Server


@pytest.mark.parametrize("compiles", [True, False])
async def test_only_a_start_that_compiles_is_told_of_where_no_terminal_shows_it(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    compiles: bool,
) -> None:
    @asynccontextmanager
    async def started(_: object) -> AsyncIterator[Server]:
        if compiles:
            numba.njit(lambda: 1)()
        yield server

    monkeypatch.setattr("service.runtime.running_server", started)
    async with connect(None):
        told = capsys.readouterr().err
    assert told == ("compiling the engine's kernels (about 30 s, once)\n" if compiles else "")
