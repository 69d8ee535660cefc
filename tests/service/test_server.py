"""The server as a whole: health, reflection, ports, sizes, stopping."""

import asyncio
import socket

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from inkfill.v1 import common_pb2, models_pb2, models_pb2_grpc, sudoku_pb2, sudoku_pb2_grpc

from service.address import BindError, check_address
from service.server import Server
from service.settings import load_settings
from tests.service.fakes import PUZZLE, TEXT, FakeEngine, cells
from tests.service.wire import detail, finish, rich_status


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


SERVICES = {"inkfill.v1.Canvas", "inkfill.v1.Models", "inkfill.v1.Sudoku"}
LONG = sudoku_pb2.SolveRequest(cells=cells(PUZZLE), effort=common_pb2.Effort(max_steps=1024))


async def health(channel: grpc.aio.Channel, service: str = "") -> str:
    request = health_pb2.HealthCheckRequest(service=service)
    response = await health_pb2_grpc.HealthStub(channel).Check(request)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(response.status))


async def test_health_is_told_for_the_server_and_for_each_service(channel):
    assert await health(channel) == "SERVING"
    for service in SERVICES:
        assert await health(channel, service) == "SERVING"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(channel, "inkfill.v1.Nothing")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_every_service_and_knows_its_messages(channel):
    Ask = reflection_pb2.ServerReflectionRequest  # noqa: N806  # a message type
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = [
        Ask(list_services=""),
        Ask(file_containing_symbol="inkfill.v1.Sudoku"),
        Ask(file_by_filename="google/rpc/status.proto"),
    ]
    listed, sudoku, status = [r async for r in stub.ServerReflectionInfo(iter(asked))]
    names = {service.name for service in listed.list_services_response.service}
    assert names == {
        *SERVICES,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert sudoku.file_descriptor_response.file_descriptor_proto
    assert status.file_descriptor_response.file_descriptor_proto


async def test_a_server_without_a_sudoku_model_does_not_offer_sudoku(settings):
    async with Server(FakeEngine(infos=(TEXT,)), settings) as server:
        assert set(server.services) == SERVICES - {"inkfill.v1.Sudoku"}
        async with grpc.aio.insecure_channel(server.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await sudoku_pb2_grpc.SudokuStub(channel).Solve(LONG)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_taken_port_is_refused_with_a_way_out(server, engine):
    second = Server(engine, load_settings(port=server.port))
    with pytest.raises(BindError, match=rf"127\.0\.0\.1:{server.port}.*INKFILL_PORT"):
        await second.start()
    await second.stop(0)


async def test_a_server_that_is_interrupted_while_it_starts_lets_go_of_its_port(
    engine, settings, monkeypatch
):
    interrupted = Server(engine, settings)
    monkeypatch.setattr(interrupted._health, "set", _interrupt)
    with pytest.raises(asyncio.CancelledError):
        async with interrupted:
            pass
    check_address("127.0.0.1", interrupted.port)


async def _interrupt(*_: object) -> None:
    raise asyncio.CancelledError


async def test_a_host_that_is_not_ours_is_refused(engine):
    elsewhere = Server(engine, load_settings(host="192.0.2.1", port=0))
    with pytest.raises(BindError, match="INKFILL_HOST"):
        await elsewhere.start()
    await elsewhere.stop(0)


async def test_a_message_that_is_too_large_is_refused_unread(channel, engine):
    request = sudoku_pb2.SolveRequest(cells=[1] * 100_000)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sudoku_pb2_grpc.SudokuStub(channel).Solve(request)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "65536" in caught.value.details()


async def test_a_compressed_message_is_refused_before_it_is_unpacked(channel):
    request = sudoku_pb2.SolveRequest(cells=[1] * 100_000)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sudoku_pb2_grpc.SudokuStub(channel).Solve(request, compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "gzip" in caught.value.details()


async def test_stopping_lets_calls_in_flight_finish_and_refuses_new_ones(
    server, channel, engine, eventually
):
    engine.step_s = 0.1
    stub = sudoku_pb2_grpc.SudokuStub(channel)
    call = asyncio.ensure_future(finish(stub.Solve(LONG)))
    await eventually(lambda: engine.running == 1)
    stopping = asyncio.ensure_future(server.stop())
    await asyncio.sleep(0.02)
    assert await health(channel) == "NOT_SERVING"
    assert await health(channel, "inkfill.v1.Sudoku") == "NOT_SERVING"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await models_pb2_grpc.ModelsStub(channel).List(models_pb2.ListModelsRequest())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert detail(rich_status(caught.value), error_details_pb2.RetryInfo).retry_delay.seconds == 5
    assert (await call).outcome == common_pb2.SOLVED
    await stopping


@pytest.mark.parametrize("method", ["Solve", "SolveStream"])
async def test_calls_that_outlast_the_grace_are_ended_as_unavailable(
    server, channel, engine, eventually, method
):
    engine.step_s, engine.steps = 0.01, 10**6
    call = getattr(sudoku_pb2_grpc.SudokuStub(channel), method)(LONG)
    reading = asyncio.ensure_future(finish(call))
    await eventually(lambda: engine.running == 1)
    await asyncio.wait_for(server.stop(0.05), timeout=2)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await reading
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert detail(rich_status(caught.value), error_details_pb2.RetryInfo).retry_delay.seconds == 5
    assert engine.cancelled == 1


async def test_health_says_not_serving_once_the_engine_has_ended(server, channel, engine):
    watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
    await asyncio.to_thread(engine.end.reach)
    async with asyncio.timeout(2):
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    for service in SERVICES:
        assert await health(channel, service) == "NOT_SERVING"


@pytest.mark.parametrize("turns", range(1, 6))
async def test_a_server_that_is_called_off_while_it_starts_is_stopped(engine, monkeypatch, turns):
    async def forever(*_: object) -> None:
        await asyncio.Event().wait()

    server = Server(engine, load_settings(port=0))
    monkeypatch.setattr(server._health, "set", forever)
    starting = asyncio.ensure_future(server.__aenter__())
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await asyncio.wait_for(server.wait(), timeout=2)


async def test_stopping_twice_is_fine_and_ends_the_wait(server):
    waiting = asyncio.ensure_future(server.wait())
    await server.stop(0)
    await server.stop(0)
    await asyncio.wait_for(waiting, timeout=2)


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")
async def test_the_address_is_what_a_client_dials(engine):
    async with Server(engine, load_settings(host="::1", port=0)) as server:
        assert server.address == f"[::1]:{server.port}"
        async with grpc.aio.insecure_channel(server.address) as channel:
            assert await health(channel) == "SERVING"
