"""What every call has in common: request ids, log lines, errors, deadlines."""

import asyncio
import gc
import io
import json
import tracemalloc
from collections.abc import Awaitable, Callable

import grpc
import pytest
from google.rpc import error_details_pb2
from inkfill.v1 import common_pb2, models_pb2, models_pb2_grpc, sudoku_pb2, sudoku_pb2_grpc

from service.call_chain import Call, default_chain, reported
from service.errors import WireError
from service.interceptors import CallInterceptor
from service.logging import configure_logging
from service.traffic import Traffic
from tests.service.fakes import PUZZLE, cells
from tests.service.wire import detail, finish, rich_status

SOLVE = "/inkfill.v1.Sudoku/Solve"


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> sudoku_pb2_grpc.SudokuStub:
    return sudoku_pb2_grpc.SudokuStub(channel)


@pytest.fixture
def log() -> io.StringIO:
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    return stream


def puzzle(**fields: object) -> sudoku_pb2.SolveRequest:
    return sudoku_pb2.SolveRequest(cells=cells(PUZZLE), **fields)


def lines(log: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def calls(log: io.StringIO) -> list[dict[str, object]]:
    return [line for line in lines(log) if line["event"] == "call"]


@pytest.fixture
def logged(log: io.StringIO, eventually) -> Callable[[int], Awaitable[list[dict[str, object]]]]:
    """Await so many lines of calls: a call is logged after its answer has left."""

    async def wait(count: int) -> list[dict[str, object]]:
        await eventually(lambda: len(calls(log)) >= count)
        return calls(log)

    return wait


async def test_a_callers_request_id_comes_back_on_both_ends(stub):
    call = stub.Solve(puzzle(), metadata=(("x-request-id", "run-7/a:b"),))
    assert (await call.initial_metadata())["x-request-id"] == "run-7/a:b"
    assert (await call.trailing_metadata())["x-request-id"] == "run-7/a:b"


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 129, "{}"])
async def test_an_id_is_made_where_the_caller_gives_no_sane_one(stub, given):
    call = stub.Solve(puzzle(), metadata=() if given is None else (("x-request-id", given),))
    made = (await call.trailing_metadata())["x-request-id"]
    assert len(made) == 32
    assert made != given


async def test_an_error_carries_the_request_id_too(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Solve(sudoku_pb2.SolveRequest(), metadata=(("x-request-id", "bad-1"),))
    assert dict(caught.value.trailing_metadata())["x-request-id"] == "bad-1"


async def test_a_call_is_one_json_line_with_its_id_code_time_and_outcome(stub, log, logged):
    await stub.Solve(puzzle(), metadata=(("x-request-id", "abc"),))
    (line,) = await logged(1)
    assert line["request_id"] == "abc"
    assert (line["method"], line["code"], line["outcome"]) == (SOLVE, "OK", "SOLVED")
    assert line["ms"] > 0
    assert str(line["peer"]).startswith("ipv4:127.0.0.1:")
    assert (line["level"], line["sent"]) == ("info", 1)


async def test_a_stream_is_one_line_with_the_outcome_of_its_last_event(stub, log, logged):
    async for _ in stub.SolveStream(puzzle()):
        pass
    (line,) = await logged(1)
    assert (line["code"], line["outcome"], line["sent"]) == ("OK", "SOLVED", 4)


async def test_many_are_one_line_that_counts_their_outcomes(stub, log, logged):
    clash = sudoku_pb2.SolveRequest(cells=[1, 1] + [0] * 79)
    items = [sudoku_pb2.SolveManyRequest(request=r) for r in (puzzle(), clash, puzzle())]
    async for _ in stub.SolveMany(iter(items)):
        pass
    (line,) = await logged(1)
    assert line["outcomes"] == {"SOLVED": 2, "UNSATISFIABLE": 1}


async def test_a_refused_call_is_logged_with_its_code(stub, log, logged):
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.Solve(sudoku_pb2.SolveRequest())
    (line,) = await logged(1)
    assert line["code"] == "INVALID_ARGUMENT"
    assert "outcome" not in line


async def test_a_fault_of_ours_has_its_traceback_in_the_log_and_not_on_the_wire(stub, engine, log):
    engine.error = RuntimeError("the secret cause")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Solve(puzzle(), metadata=(("x-request-id", "oops"),))
    status = rich_status(caught.value)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    info = detail(status, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain, info.metadata["request_id"]) == (
        "INTERNAL",
        "inkfill",
        "oops",
    )
    everything_sent = str(status) + str(caught.value.trailing_metadata())
    assert "secret" not in everything_sent
    assert "Traceback" not in everything_sent
    (failure,) = [line for line in lines(log) if line["event"] == "call_failed"]
    assert failure["request_id"] == "oops"
    assert failure["level"] == "error"
    assert "Traceback" in str(failure["exception"])
    assert "RuntimeError: the secret cause" in str(failure["exception"])


async def test_a_failed_item_of_many_is_logged_under_the_calls_id(stub, engine, log):
    engine.error = RuntimeError("the secret cause")
    item = sudoku_pb2.SolveManyRequest(id="1", request=puzzle())
    async for _ in stub.SolveMany(iter([item]), metadata=(("x-request-id", "many"),)):
        pass
    (failure,) = [line for line in lines(log) if line["event"] == "item_failed"]
    assert failure["request_id"] == "many"
    assert "the secret cause" in str(failure["exception"])


async def test_a_call_whose_caller_went_away_is_logged_as_cancelled(stub, engine, log, eventually):
    engine.step_s, engine.steps = 0.01, 10**6
    call = stub.Solve(puzzle(effort=common_pb2.Effort(max_steps=1024)))
    await eventually(lambda: engine.running == 1)
    call.cancel()
    await eventually(lambda: len(calls(log)) == 1)
    assert calls(log)[0]["code"] == "CANCELLED"


async def test_a_caller_who_goes_while_a_response_waits_to_be_sent_is_no_fault_of_ours(
    stub, log, eventually
):
    async def forever():
        while True:
            yield sudoku_pb2.SolveManyRequest(id="x" * 60000)

    call = stub.SolveMany(forever(), timeout=0.5)
    await call.read()  # and no more, so that the server fills all that lies between and waits
    await call.code()
    await eventually(lambda: len(calls(log)) == 1)
    (line,) = lines(log)
    assert line["code"] == "DEADLINE_EXCEEDED"
    assert str(line["peer"]).startswith("ipv4:127.0.0.1:")


async def test_an_error_that_comes_after_the_caller_went_is_no_fault_of_ours():
    class Gone:
        async def abort(self, *_: object) -> None:
            raise grpc.aio.InternalError

        def time_remaining(self) -> float:
            return 0.0

    with pytest.raises(asyncio.CancelledError):
        async with reported(Traffic())(Call(SOLVE, Gone())):
            raise TimeoutError


async def test_a_call_that_ran_out_of_time_is_logged_as_such(stub, engine, log, eventually):
    engine.step_s, engine.steps = 0.01, 10**6
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.Solve(puzzle(effort=common_pb2.Effort(max_steps=1024)), timeout=0.1)
    await eventually(lambda: len(calls(log)) == 1)
    assert calls(log)[0]["code"] == "DEADLINE_EXCEEDED"


async def test_bytes_that_are_no_message_are_refused(channel):
    call = channel.unary_unary(SOLVE)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a message" in rich_status(caught.value).message


async def test_bytes_that_are_no_message_are_refused_in_a_stream(channel):
    call = channel.stream_stream("/inkfill.v1.Sudoku/SolveMany")(iter([b"\xff\xff\xff"]))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_method_that_does_not_exist_is_unimplemented(channel):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary("/inkfill.v1.Sudoku/Guess")(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_calls_in_flight_do_not_share_their_ids(stub, engine, log, logged):
    engine.step_s = 0.02
    pending = [
        stub.Solve(puzzle(), metadata=(("x-request-id", f"id-{index}"),)) for index in range(5)
    ]
    for call in pending:
        await call
    assert {line["request_id"] for line in await logged(5)} == {f"id-{index}" for index in range(5)}


async def _sum_stream(requests, context):  # a method of the fourth kind, which no service has yet
    names = [request.name async for request in requests]
    if "fail" in names:
        raise ValueError("the secret cause")
    return models_pb2.Model(name="+".join(names))


@pytest.fixture
async def join() -> object:
    """A stream-unary method behind the interceptor."""
    server = grpc.aio.server(interceptors=[CallInterceptor(default_chain(Traffic()))])
    handler = grpc.stream_unary_rpc_method_handler(
        _sum_stream,
        request_deserializer=models_pb2.GetModelRequest.FromString,
        response_serializer=models_pb2.Model.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("inkfill.v1.Test", {"Join": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.stream_unary(
            "/inkfill.v1.Test/Join",
            request_serializer=models_pb2.GetModelRequest.SerializeToString,
            response_deserializer=models_pb2.Model.FromString,
        )
    await server.stop(None)


async def test_a_method_that_reads_a_stream_and_answers_once_is_served_alike(join, log, logged):
    requests = [models_pb2.GetModelRequest(name=name) for name in "ab"]
    assert (await join(iter(requests))).name == "a+b"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await join(iter([models_pb2.GetModelRequest(name="fail")]))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert [line["code"] for line in await logged(2)] == ["OK", "INTERNAL"]


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream"])
async def test_a_request_that_is_refused_goes_with_its_call(kind):
    async def refuse(request: bytearray, _: object) -> None:
        raise WireError(grpc.StatusCode.INVALID_ARGUMENT, "no") from ValueError(len(request))

    async def refuse_all(request: bytearray, context: object) -> object:
        yield await refuse(request, context)

    make = getattr(grpc, f"{kind}_rpc_method_handler")
    handler = make(refuse if kind == "unary_unary" else refuse_all, request_deserializer=bytearray)
    server = grpc.aio.server(interceptors=[CallInterceptor(default_chain(Traffic()))])
    service = grpc.method_handlers_generic_handler("inkfill.v1.Test", {"Refuse": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = getattr(channel, kind)("/inkfill.v1.Test/Refuse")
        gc.disable()  # or it may come and clear away what is left behind
        tracemalloc.start()
        for _ in range(20):
            with pytest.raises(grpc.aio.AioRpcError):
                await finish(call(b"x" * 1_000_000))
        left, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gc.enable()
    await server.stop(None)
    assert left < 2_500_000


async def test_an_engine_that_takes_too_long_by_itself_is_a_deadline_too(channel, engine):
    engine.error = TimeoutError()
    stub = sudoku_pb2_grpc.SudokuStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Solve(puzzle())
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_health_checks_leave_no_line(channel, log, logged):
    await models_pb2_grpc.ModelsStub(channel).List(models_pb2.ListModelsRequest())
    await channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
    assert [line["method"] for line in await logged(1)] == ["/inkfill.v1.Models/List"]
