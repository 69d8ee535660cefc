"""What a client raises: gRPC statuses and their google.rpc details as Python exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status


@dataclass(frozen=True)
class Violation:
    """A field of the request that was refused: its path, and what is accepted."""

    field: str
    description: str


class InkfillError(Exception):
    """A call that failed.

    Attributes:
        code: the gRPC status code.
        message: what the server said.
        request_id: under which the server logged the call, if it said so.
    """

    def __init__(self, code: grpc.StatusCode, message: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id

    @property
    def is_callers(self) -> bool:
        """Whether the same request will fail again."""
        return self.code in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


class InvalidRequestError(InkfillError):
    """The request was refused; ``violations`` names each field at fault."""

    violations: Sequence[Violation] = ()


class ModelNotFoundError(InkfillError):
    """No such model is loaded; ``name`` is what was asked for."""

    name: str = ""


class OverloadedError(InkfillError):
    """The server has too much to do; try again after ``retry_after_s`` seconds."""

    retry_after_s: float | None = None


class UnavailableError(OverloadedError):
    """The server cannot be reached or is shutting down; try again after ``retry_after_s``."""


class DeadlineError(InkfillError, TimeoutError):
    """The answer did not come in time."""


_KINDS: dict[grpc.StatusCode, type[InkfillError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.NOT_FOUND: ModelNotFoundError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
}


def from_rpc_error(error: grpc.aio.AioRpcError) -> InkfillError:
    """The exception that a failed call stands for."""
    trailers = {str(key): value for key, value in error.trailing_metadata() or ()}
    request_id = trailers.get("x-request-id")
    kind = _KINDS.get(error.code(), InkfillError)
    failure = kind(error.code(), error.details() or "", str(request_id) if request_id else None)
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        _add_detail(failure, detail)
    return failure


def from_status(status: status_pb2.Status) -> InkfillError:
    """The exception of an item that failed within a call."""
    code = next(c for c in grpc.StatusCode if c.value[0] == status.code)
    failure = _KINDS.get(code, InkfillError)(code, status.message)
    for detail in status.details:
        _add_detail(failure, detail)
    return failure


def _add_detail(failure: InkfillError, detail) -> None:  # type: ignore[no-untyped-def]  # an Any
    request, resource = error_details_pb2.BadRequest(), error_details_pb2.ResourceInfo()
    retry = error_details_pb2.RetryInfo()
    if isinstance(failure, InvalidRequestError) and detail.Unpack(request):
        failure.violations = tuple(
            Violation(v.field, v.description) for v in request.field_violations
        )
    elif isinstance(failure, ModelNotFoundError) and detail.Unpack(resource):
        failure.name = resource.resource_name
    elif isinstance(failure, OverloadedError) and detail.Unpack(retry):
        failure.retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
