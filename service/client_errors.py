"""What a client raises: gRPC statuses and their google.rpc details as Python exceptions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"
_REQUEST_ID_KEY = "x-request-id"

#: How gRPC's two resolvers begin.
_UNRESOLVED = re.compile(r"(?:errors resolving|DNS resolution failed for) (\S+?)(?::\d+)?:(?:\s|$)")

#: How gRPC begins where nobody answers: who was asked, with brackets escaped, and why.
_UNANSWERED = re.compile(
    r"failed to connect to all addresses; last error: \w+: (?:ipv[46]:)?(\S+): "
    r"(?:Failed to connect to remote host: )?(.+)"
)
#: What gRPC says of a service that the server does not offer.
_NO_SERVICE = "Method not found!"

M = TypeVar("M", bound=Message)


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
        return isinstance(self, InvalidRequestError)


class InvalidRequestError(InkfillError):
    """The request was refused; ``violations`` names each field at fault."""

    violations: Sequence[Violation] = ()


class ModelNotFoundError(InvalidRequestError):
    """No such model is loaded; ``name`` is what was asked for."""

    name: str = ""


class MessageTooLargeError(InvalidRequestError):
    """The request or the response is larger than the server, or this client, accepts."""


class OverloadedError(InkfillError):
    """The server has too much to do; try again after ``retry_after_s`` seconds."""

    retry_after_s: float | None = None


class UnavailableError(OverloadedError):
    """The server cannot be reached or is shutting down; try again after ``retry_after_s``."""


class DeadlineError(InkfillError, TimeoutError):
    """The answer did not come in time."""


class ServerFaultError(InkfillError):
    """The server failed; its log has the cause under ``request_id``."""


_KINDS: dict[grpc.StatusCode, type[InkfillError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.INTERNAL: ServerFaultError,
}


def from_rpc_error(error: grpc.aio.AioRpcError) -> InkfillError:
    """The exception that a failed call stands for."""
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status()
    if isinstance(details := trailers.get(_DETAILS_KEY), bytes):
        status = status_pb2.Status.FromString(details)
    request_id = trailers.get(_REQUEST_ID_KEY)
    said = str(request_id) if request_id else None
    return _decoded(error.code(), _plain(error.details() or ""), status, said)


def from_status(status: status_pb2.Status) -> InkfillError:
    """The exception of an item that failed within a call."""
    codes = {code.value[0]: code for code in grpc.StatusCode}
    code = codes.get(status.code, grpc.StatusCode.UNKNOWN)
    return _decoded(code, status.message, status, None)


def _plain(details: str) -> str:
    """What gRPC says, in a sentence where it found no host, no server or no such service."""
    if unresolved := _UNRESOLVED.match(details):
        return f"there is no host named {unresolved[1]}"
    if unanswered := _UNANSWERED.match(details):
        return f"no server answers at {unquote(unanswered[1])}: {unanswered[2]}"
    if details == _NO_SERVICE:
        return "the server has no model for this call; inkfill models --server lists those it has"
    return details


def _decoded(
    code: grpc.StatusCode, message: str, status: status_pb2.Status, request_id: str | None
) -> InkfillError:
    resource = _detail(status, error_details_pb2.ResourceInfo)
    retry = _detail(status, error_details_pb2.RetryInfo)
    info = _detail(status, error_details_pb2.ErrorInfo)
    if info is not None:
        request_id = request_id or info.metadata.get("request_id")
    failure = _kind(code, resource is not None, retry is not None)(code, message, request_id)
    if isinstance(failure, InvalidRequestError):
        failure.violations = _violations(status)
    if isinstance(failure, ModelNotFoundError) and resource is not None:
        failure.name = resource.resource_name
    if isinstance(failure, OverloadedError) and retry is not None:
        failure.retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    return failure


def _kind(code: grpc.StatusCode, names_resource: bool, says_when: bool) -> type[InkfillError]:
    if names_resource:
        return ModelNotFoundError
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # gRPC itself refuses what is too large, and has no details to add.
        return OverloadedError if says_when else MessageTooLargeError
    return _KINDS.get(code, InkfillError)


def _violations(status: status_pb2.Status) -> tuple[Violation, ...]:
    request = _detail(status, error_details_pb2.BadRequest)
    fields = request.field_violations if request is not None else ()
    return tuple(Violation(each.field, each.description) for each in fields)


def _detail(status: status_pb2.Status, kind: type[M]) -> M | None:
    """The first detail of a kind, if there is one."""
    for packed in status.details:
        if packed.Unpack(detail := kind()):
            return detail
    return None
