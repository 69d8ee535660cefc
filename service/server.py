"""The server: an engine behind gRPC, with health checks and reflection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from inkfill.v1 import (
    canvas_pb2,
    canvas_pb2_grpc,
    graph_pb2,
    graph_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    sudoku_pb2,
    sudoku_pb2_grpc,
)

from engine.client import EngineClient
from service.address import BindError, address_of
from service.call_chain import default_chain
from service.encoding_pool import EncodingPool
from service.interceptors import CallInterceptor
from service.servicers.canvas import CanvasServicer
from service.servicers.graph import GraphServicer
from service.servicers.graph_call import GRAPH_TASKS
from service.servicers.models import ModelsServicer
from service.servicers.sudoku import SudokuServicer
from service.settings import Settings
from service.texts import NO_TEXTS, TextModels
from service.traffic import Traffic
from solvers.search_pool import SearchPool

log = structlog.get_logger(__name__)

_SERVING = health_pb2.HealthCheckResponse.SERVING


class Server:
    """Serves an engine. Made and used inside one event loop; an async context manager.

    The engine is the caller's: it is neither started nor stopped here.

    Args:
        engine: what answers.
        settings: how to serve.
        texts: the strings of its models.

    Attributes:
        port: the one that is listened on; known once started.
    """

    def __init__(
        self, engine: EngineClient, settings: Settings, texts: TextModels = NO_TEXTS
    ) -> None:
        self.port = 0
        self._engine = engine
        self._settings = settings
        self._traffic = Traffic()
        self._searches = SearchPool(settings.max_searches)
        self._encoding = EncodingPool(settings.max_queue)
        self._health = health.aio.HealthServicer()
        self._grpc = grpc.aio.server(
            interceptors=[CallInterceptor(default_chain(self._traffic))],
            options=_options(settings),
        )
        self._watching: asyncio.Task[None] | None = None
        pools = (self._searches, self._encoding)
        self._services = _register(self._grpc, engine, texts, pools, settings)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection(
            (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME), self._grpc
        )

    @property
    def address(self) -> str:
        """What a client dials."""
        return address_of(self._settings.host, self.port)

    @property
    def services(self) -> Sequence[str]:
        """Full names of the services on offer, without health and reflection."""
        return self._services

    async def start(self) -> None:
        """Listen.

        Raises:
            BindError: the address is taken or is not this machine's.
        """
        wanted = address_of(self._settings.host, self._settings.port)
        try:
            self.port = self._grpc.add_insecure_port(wanted)
        except RuntimeError as error:
            raise BindError(wanted) from error
        starting = asyncio.ensure_future(self._grpc.start())
        try:
            await asyncio.shield(starting)  # gRPC cannot stop what is cancelled while it starts
        finally:
            await starting
        for service in self._services:
            await self._health.set(service, _SERVING)
        self._watching = asyncio.create_task(self._watch_engine())
        log.info("listening", address=self.address, services=list(self._services))

    async def stop(self, grace_s: float | None = None) -> None:
        """Stop gracefully: health says NOT_SERVING, calls in flight get ``grace_s`` to finish.

        New calls are refused meanwhile, and late ones are ended, both with UNAVAILABLE.

        Args:
            grace_s: seconds; None takes the settings' ``shutdown_grace_s``.
        """
        grace = self._settings.shutdown_grace_s if grace_s is None else grace_s
        log.info("stopping", grace_s=grace)
        if self._watching is not None:
            self._watching.cancel()
        await self._health.enter_graceful_shutdown()
        await self._traffic.drain(grace)
        await self._grpc.stop(None)
        self._close_pools()
        log.info("stopped")

    def _close_pools(self) -> None:
        self._searches.close()
        self._encoding.close()

    async def _watch_engine(self) -> None:
        """Health says NOT_SERVING, for good, once the engine has ended."""
        await self._engine.ended()
        log.error("engine_ended")
        await self._health.enter_graceful_shutdown()

    async def wait(self) -> None:
        """Wait until the server has stopped."""
        await self._grpc.wait_for_termination()

    async def __aenter__(self) -> Server:
        try:
            await self.start()
        except BaseException:  # it may be listening, and nobody else would stop it
            await self._grpc.stop(None)
            self._close_pools()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()


def _register(
    server: grpc.aio.Server,
    engine: EngineClient,
    texts: TextModels,
    pools: tuple[SearchPool, EncodingPool],
    settings: Settings,
) -> tuple[str, ...]:
    """Add the servicers that the engine's models allow; the names of their services."""
    searches, encoding = pools
    canvas = CanvasServicer(engine, texts, encoding)
    canvas_pb2_grpc.add_CanvasServicer_to_server(canvas, server)
    models = ModelsServicer(engine, texts, settings.max_message_bytes)
    models_pb2_grpc.add_ModelsServicer_to_server(models, server)
    names = [_name(canvas_pb2, "Canvas"), _name(models_pb2, "Models")]
    of_task = {info.task: info.name for info in reversed(engine.models())}  # the first one loaded
    if "sudoku" in of_task:
        sudoku = SudokuServicer(engine, of_task["sudoku"], searches, settings.max_many_in_flight)
        sudoku_pb2_grpc.add_SudokuServicer_to_server(sudoku, server)
        names.append(_name(sudoku_pb2, "Sudoku"))
    if graph_models := {task: of_task[task] for task in GRAPH_TASKS if task in of_task}:
        graph = GraphServicer(engine, graph_models, searches)
        graph_pb2_grpc.add_GraphServicer_to_server(graph, server)
        names.append(_name(graph_pb2, "Graph"))
    return tuple(names)


def _name(module: object, service: str) -> str:
    """The full name of a service, from its file's descriptor."""
    return str(module.DESCRIPTOR.services_by_name[service].full_name)  # type: ignore[attr-defined]


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Identity alone: gRPC compares a message with its limit only after it has been unpacked,
        # so that a megabyte could take a gigabyte of memory.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        # Two servers must not share a port silently: the second one is to say that it is taken.
        ("grpc.so_reuseport", 0),
    ]
