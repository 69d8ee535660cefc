"""Errors that know their wire code, and how any other error becomes one.

A servicer raises; the interceptor ends the call with what ``wire_error`` makes of it. Nothing of
a traceback crosses the wire: INTERNAL carries the request id under which the log has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from engine.canvas import CanvasError
from engine.client import EngineOverloadedError, EngineStoppedError, UnknownModelError
from service.logging import current_request_id
from solvers.base import EffortError
from solvers.problem_error import ProblemError

log = structlog.get_logger(__name__)

#: ``ErrorInfo.domain`` of every error of this service.
DOMAIN = "inkfill"
#: ``ResourceInfo.resource_type`` of a model.
MODEL_RESOURCE = "inkfill.v1.Model"
OVERLOADED_RETRY_S = 1.0
DRAINING_RETRY_S = 5.0
# Status messages travel in trailers, of which clients accept 8 KiB.
_MESSAGE_LIMIT = 1000


class WireError(Exception):
    """An error that ends a call, with its gRPC code and google.rpc details.

    Attributes:
        code: the gRPC status code.
        message: for people; names the field, what was given and what is accepted.
        details: google.rpc messages, for programs.
    """

    def __init__(self, code: grpc.StatusCode, message: str, *details: Message) -> None:
        super().__init__(message)
        self.code = code
        self.message = shorten(message, _MESSAGE_LIMIT)
        self.details = details

    def to_status(self) -> status_pb2.Status:
        """The error as a google.rpc.Status."""
        packed = []
        for detail in self.details:
            packed.append(AnyMessage())
            packed[-1].Pack(detail)
        return status_pb2.Status(code=self.code.value[0], message=self.message, details=packed)


def shorten(text: str, limit: int = 100) -> str:
    """``text``, cut to ``limit`` characters: what a caller sent is echoed, but not endlessly."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def invalid_argument(field: str, message: str, *details: Message) -> WireError:
    """INVALID_ARGUMENT: ``field`` is a path in the request, ``message`` says what is accepted."""
    violation = error_details_pb2.BadRequest.FieldViolation(
        field=field, description=shorten(message, _MESSAGE_LIMIT)
    )
    return WireError(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"{field}: {message}",
        error_details_pb2.BadRequest(field_violations=[violation]),
        *details,
    )


def unknown_model(error: UnknownModelError) -> WireError:
    """NOT_FOUND: the call was about this very model."""
    name = shorten(error.name)
    known = ", ".join(error.known) or "none"
    return WireError(
        grpc.StatusCode.NOT_FOUND,
        f"model {name!r} is not loaded; loaded: {known}",
        model_resource(error.name),
    )


def model_resource(name: str) -> error_details_pb2.ResourceInfo:
    """Names a model that is not there."""
    return error_details_pb2.ResourceInfo(
        resource_type=MODEL_RESOURCE, resource_name=shorten(name), description="not loaded"
    )


def overloaded() -> WireError:
    """RESOURCE_EXHAUSTED: the queue is full."""
    return WireError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"the queue is full; try again in {OVERLOADED_RETRY_S:g} s",
        _retry_info(OVERLOADED_RETRY_S),
    )


def unavailable(reason: str) -> WireError:
    """UNAVAILABLE: this server does not answer now; another one, or this one later, may."""
    return WireError(
        grpc.StatusCode.UNAVAILABLE,
        f"{reason}; try again in {DRAINING_RETRY_S:g} s",
        _retry_info(DRAINING_RETRY_S),
    )


def internal(request_id: str) -> WireError:
    """INTERNAL: a fault of ours, to be found in the log under ``request_id``."""
    info = error_details_pb2.ErrorInfo(
        reason="INTERNAL", domain=DOMAIN, metadata={"request_id": request_id}
    )
    return WireError(
        grpc.StatusCode.INTERNAL, f"internal error; the log has it as request {request_id}", info
    )


def wire_error(error: BaseException) -> WireError:
    """What the caller is told of ``error``; anything unforeseen is INTERNAL."""
    match error:
        case WireError():
            return error
        case EffortError():
            return invalid_argument(f"effort.{error.field}", error.message)
        case ProblemError() | CanvasError():
            return invalid_argument(error.field, error.message)
        case UnknownModelError():
            return unknown_model(error)
        case EngineOverloadedError():
            return overloaded()
        case EngineStoppedError():
            return unavailable(str(error))
        case TimeoutError():
            return WireError(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline has passed")
        case asyncio.CancelledError():
            return WireError(grpc.StatusCode.CANCELLED, "the call was cancelled")
        case _:
            return internal(current_request_id())


def item_status(error: Exception) -> status_pb2.Status:
    """The status of one failed item of a stream; a fault of ours goes to the log in full."""
    status = wire_error(error)
    if status.code is grpc.StatusCode.INTERNAL:
        log.error("item_failed", exc_info=error)
    return status.to_status()


@contextmanager
def named_by(path: Callable[[str], str]) -> Iterator[None]:
    """Refuse a canvas under the request's own field names, ``path(engine's field)``."""
    try:
        yield
    except CanvasError as error:
        raise invalid_argument(path(error.field), error.message) from error


def _retry_info(seconds: float) -> error_details_pb2.RetryInfo:
    return error_details_pb2.RetryInfo(
        retry_delay=Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))
    )
