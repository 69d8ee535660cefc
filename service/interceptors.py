"""Where calls enter: ``CallInterceptor`` runs each inside the chain of ``service.call_chain``.

It wraps the handlers of this package's services, whichever of the four kinds they are. Health
checks and reflection pass untouched.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from service.call_chain import Around, Call, sending
from service.errors import WireError

_OUR_METHODS = "/inkfill.v1."


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Serves each call of our services inside a chain of context managers."""

    def __init__(self, chain: Sequence[Around]) -> None:
        self._chain = tuple(chain)

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler that ``continuation`` finds."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(_OUR_METHODS):
            return handler
        return self._wrapped(handler, handler_call_details.method)

    def _wrapped(
        self, handler: grpc.RpcMethodHandler[Any, Any], method: str
    ) -> grpc.RpcMethodHandler[Any, Any]:
        behavior, make = _kind(handler)
        parse = handler.request_deserializer

        async def one(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                async with self._around(call := Call(method, context)):
                    response = await behavior(_parsed(parse, request), context)
                    call.note(response)
                return response
            finally:
                del request  # see ``_let_go``

        async def many(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            # Writing, not yielding: when the call is cancelled, the servicer's generator is closed
            # here and now instead of whenever it is collected.
            try:
                async with (
                    self._around(call := Call(method, context)),
                    aclosing(behavior(_parsed(parse, request), context)) as responses,
                ):
                    async for response in responses:
                        with sending():
                            await context.write(response)
                        call.note(response)
            finally:
                del request  # see ``_let_go``

        # Raw bytes come in, so that bytes which are no message are refused inside the chain.
        wrapped: grpc.RpcMethodHandler[Any, Any] = make(
            many if handler.response_streaming else one,
            request_deserializer=None,
            response_serializer=handler.response_serializer,
        )
        return wrapped

    @asynccontextmanager
    async def _around(self, call: Call) -> AsyncIterator[None]:
        try:
            async with AsyncExitStack() as stack:
                for around in self._chain:
                    await stack.enter_async_context(around(call))
                yield
        except BaseException as error:
            _let_go(error)
            raise


def _kind(
    handler: grpc.RpcMethodHandler[Any, Any],
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A handler's function, and what makes a handler of its kind."""
    kinds = {
        (False, False): (handler.unary_unary, grpc.unary_unary_rpc_method_handler),
        (False, True): (handler.unary_stream, grpc.unary_stream_rpc_method_handler),
        (True, False): (handler.stream_unary, grpc.stream_unary_rpc_method_handler),
        (True, True): (handler.stream_stream, grpc.stream_stream_rpc_method_handler),
    }
    behavior, make = kinds[bool(handler.request_streaming), bool(handler.response_streaming)]
    assert behavior is not None
    return behavior, make


def _parsed(parse: Callable[[bytes], Any] | None, raw: bytes | AsyncIterable[bytes]) -> Any:
    """The request message, or the stream of them, out of raw bytes."""
    assert parse is not None
    if isinstance(raw, bytes):
        return _message(parse, raw)
    return _messages(parse, raw)


async def _messages(parse: Callable[[bytes], Any], raw: AsyncIterable[bytes]) -> AsyncIterator[Any]:
    async for item in raw:
        yield _message(parse, item)


def _message(parse: Callable[[bytes], Any], raw: bytes) -> Any:
    try:
        return parse(raw)
    except DecodeError:
        raise WireError(
            grpc.StatusCode.INVALID_ARGUMENT, "the request's bytes are not a message of its type"
        ) from None


def _let_go(error: BaseException | None) -> None:
    """Empty the frames that an error came through; their request may be megabytes.

    gRPC's state of a call keeps the error that ends it, and the error its frames, which know that
    state: a circle that lasts until Python looks for circles, which it does by their number.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
