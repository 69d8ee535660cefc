"""How a client waits for a call: failures become its own exceptions, what is left is cancelled."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc

from service.client_errors import from_rpc_error

M = TypeVar("M")


async def answer_of(call: Awaitable[M]) -> M:
    """The response of a call.

    Raises:
        InkfillError: the call failed.
    """
    with _raising_ours():
        return await call


async def events_of(call: Any) -> AsyncGenerator[Any, None]:
    """The messages of a stream; leaving it early cancels the call.

    Raises:
        InkfillError: the call failed.
    """
    try:
        with _raising_ours():
            async for event in call:
                yield event
    finally:
        call.cancel()


@contextmanager
def _raising_ours() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
