"""Reads calls as a client in any language would: events, statuses, details."""

from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

M = TypeVar("M", bound=Message)


def rich_status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The google.rpc.Status in the trailers, which must agree with gRPC's own."""
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    return status


def detail(status: status_pb2.Status, kind: type[M]) -> M:
    """The one detail of a kind."""
    found = [message for packed in status.details if packed.Unpack(message := kind())]
    assert len(found) == 1, f"{len(found)} details of {kind.DESCRIPTOR.name} in {status}"
    return found[0]


def violation(status: status_pb2.Status) -> tuple[str, str]:
    """The one field at fault and what was said of it."""
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0], status
    violations = detail(status, error_details_pb2.BadRequest).field_violations
    assert len(violations) == 1
    return violations[0].field, violations[0].description


async def finish(call: Any) -> Any:
    """The response of a unary call, or all events of a stream."""
    if hasattr(call, "__aiter__"):
        return [event async for event in call]
    return await call
