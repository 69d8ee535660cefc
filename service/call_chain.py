"""What every call has in common: a request id, a log line, a deadline, errors with details.

Each of them is an async context manager around a ``Call``; together they are a chain.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
import structlog
from google.protobuf.message import Message
from grpc_status import rpc_status
from inkfill.v1.common_pb2 import Outcome

from service.errors import WireError, wire_error
from service.logging import bind_request_id
from service.traffic import Traffic

log = structlog.get_logger("inkfill.access")

REQUEST_ID_KEY = "x-request-id"
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_CLOCKS_DIFFER_S = 0.05


@dataclass
class Call:
    """One call on its way through the chain.

    Attributes:
        method: ``/inkfill.v1.Sudoku/Solve``.
        context: gRPC's view of it.
        request_id: the caller's, or one made here.
        code: how it ended.
        sent: responses sent so far.
        outcomes: of the problems answered so far, by name.
    """

    method: str
    context: grpc.aio.ServicerContext[Any, Any]
    request_id: str = ""
    code: grpc.StatusCode = grpc.StatusCode.OK
    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.perf_counter)

    def note(self, response: Message) -> None:
        """Take down what the log says of a response."""
        self.sent += 1
        answer = getattr(response, "response", response)
        if outcome := getattr(answer, "outcome", 0):
            self.outcomes[Outcome.Name(outcome)] += 1


#: Something that is true of a call while it is served.
Around = Callable[[Call], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def identified(call: Call) -> AsyncIterator[None]:
    """Give the call its request id, in the log and in the metadata on both ends."""
    call.request_id = _sane_id(call.context.invocation_metadata() or ()) or uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    bind_request_id(call.request_id)
    metadata = ((REQUEST_ID_KEY, call.request_id),)
    call.context.set_trailing_metadata(metadata)
    with sending():
        await call.context.send_initial_metadata(metadata)
    yield


@asynccontextmanager
async def logged(call: Call) -> AsyncIterator[None]:
    """Write one line when the call has ended, however it ends."""
    peer = call.context.peer()  # gRPC forgets it when the caller goes
    try:
        yield
    finally:
        facts: dict[str, object] = {
            "method": call.method,
            "code": call.code.name,
            "ms": round((time.perf_counter() - call.started) * 1e3, 3),
            "peer": peer,
            "sent": call.sent,
        }
        if call.outcomes.total() == 1:
            facts["outcome"] = next(iter(call.outcomes))
        elif call.outcomes:
            facts["outcomes"] = dict(call.outcomes)
        log.info("call", **facts)


def reported(traffic: Traffic) -> Around:
    """End the call with the status of whatever is raised inside."""

    @asynccontextmanager
    async def around(call: Call) -> AsyncIterator[None]:
        try:
            yield
        except asyncio.CancelledError as error:
            if not traffic.ended:  # the caller went away or ran out of time, and hears nothing
                call.code = _cancellation_code(call)
                raise
            await _abort(call, traffic.refusal(), error)
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller gets a status
            await _abort(call, wire_error(error), error)

    return around


def admitted(traffic: Traffic) -> Around:
    """Count the call as in flight; refuse it while the server drains."""

    @asynccontextmanager
    async def around(_: Call) -> AsyncIterator[None]:
        with traffic.admitted():
            yield

    return around


@asynccontextmanager
async def within_deadline(call: Call) -> AsyncIterator[None]:
    """Stop the work when the caller's deadline passes."""
    async with asyncio.timeout(call.context.time_remaining()):
        yield


def default_chain(traffic: Traffic) -> Sequence[Around]:
    """The chain of every server, outermost first."""
    return (identified, logged, reported(traffic), admitted(traffic), within_deadline)


@contextmanager
def sending() -> Iterator[None]:
    """Cancel the call where gRPC has ended it before us, and so takes nothing more to send.

    It does when the caller goes away or runs out of time, and may say so here first.
    """
    try:
        yield
    except grpc.aio.InternalError:
        raise asyncio.CancelledError from None


async def _abort(call: Call, error: WireError, cause: BaseException) -> None:
    """End the call with ``error``; a fault of ours goes to the log in full."""
    call.code = error.code
    if error.code is grpc.StatusCode.INTERNAL:
        log.error("call_failed", method=call.method, exc_info=cause)
    status = rpc_status.to_status(error.to_status())
    trailers = (*status.trailing_metadata, (REQUEST_ID_KEY, call.request_id))
    with sending():
        await call.context.abort(status.code, status.details, trailers)


def _cancellation_code(call: Call) -> grpc.StatusCode:
    remaining = cast("float | None", call.context.time_remaining())  # its stub forgets None
    # The caller's clock may run out, and its cancellation arrive, a little before ours does.
    expired = remaining is not None and remaining < _CLOCKS_DIFFER_S
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED


def _sane_id(metadata: Any) -> str | None:
    for key, value in metadata:
        if key == REQUEST_ID_KEY and isinstance(value, str) and _SANE_ID.fullmatch(value):
            return value
    return None
