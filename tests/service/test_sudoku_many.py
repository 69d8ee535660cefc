"""Sudoku.SolveMany over real gRPC: many puzzles in one call."""

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2
from inkfill.v1 import common_pb2, sudoku_pb2, sudoku_pb2_grpc

from tests.service.fakes import PUZZLE, cells
from tests.service.wire import detail, finish, violation

Request = sudoku_pb2.SolveRequest


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> sudoku_pb2_grpc.SudokuStub:
    return sudoku_pb2_grpc.SudokuStub(channel)


def puzzle(**fields: object) -> Request:
    return Request(**{"cells": cells(PUZZLE), **fields})


async def test_many_are_answered_by_id_and_a_bad_one_leaves_the_others_alone(stub):
    requests = [
        sudoku_pb2.SolveManyRequest(id="good", request=puzzle()),
        sudoku_pb2.SolveManyRequest(id="short", request=Request(cells=[0] * 80)),
        sudoku_pb2.SolveManyRequest(
            id="greedy", request=puzzle(effort=common_pb2.Effort(max_steps=5000))
        ),
        sudoku_pb2.SolveManyRequest(id="empty"),
        sudoku_pb2.SolveManyRequest(id="clash", request=Request(cells=[1, 1] + [0] * 79)),
        sudoku_pb2.SolveManyRequest(id="again", request=puzzle()),
    ]
    replies = {reply.id: reply async for reply in stub.SolveMany(iter(requests))}
    assert set(replies) == {request.id for request in requests}
    assert replies["good"].response.outcome == common_pb2.SOLVED
    assert replies["again"].response.outcome == common_pb2.SOLVED
    assert replies["clash"].response.outcome == common_pb2.UNSATISFIABLE
    assert violation(replies["short"].error)[0] == "cells"
    assert violation(replies["empty"].error)[0] == "cells"
    assert violation(replies["greedy"].error)[0] == "effort.max_steps"


async def test_an_item_that_fails_by_our_fault_is_internal_and_alone(stub, engine):
    engine.error = RuntimeError("the secret cause")
    requests = [sudoku_pb2.SolveManyRequest(id=str(i), request=puzzle()) for i in range(3)]
    replies = [reply async for reply in stub.SolveMany(iter(requests))]
    assert len(replies) == 3
    for reply in replies:
        assert reply.error.code == grpc.StatusCode.INTERNAL.value[0]
        assert "secret" not in str(reply)
        assert detail(reply.error, error_details_pb2.ErrorInfo).metadata["request_id"]


async def test_many_bounds_what_is_in_flight_and_what_it_reads(stub, engine, eventually):
    engine.step_s, engine.steps = 0.02, 3
    written = 0

    async def requests():
        nonlocal written
        for index in range(12):
            yield sudoku_pb2.SolveManyRequest(id=str(index), request=puzzle())
            written += 1

    replies = [reply async for reply in stub.SolveMany(requests())]
    assert sorted(int(reply.id) for reply in replies) == list(range(12))
    assert engine.most_running == 3
    assert written == 12


async def test_many_of_many_candidates_wait_for_each_other_and_overload_nothing(stub, engine):
    engine.step_s = 0.01
    effort = common_pb2.Effort(candidates=engine.model("oracle").max_queue // 2)
    item = sudoku_pb2.SolveManyRequest(id="wide", request=puzzle(effort=effort))
    calls = [finish(stub.SolveMany(iter([item] * 4))) for _ in range(2)]
    replies = [reply for call in await asyncio.gather(*calls) for reply in call]
    assert [reply.response.outcome for reply in replies] == [common_pb2.SOLVED] * 8
    assert engine.most_running == engine.model("oracle").max_queue


async def test_many_answers_as_they_finish_not_as_they_came(stub, engine):
    engine.step_s = 0.1
    requests = [
        sudoku_pb2.SolveManyRequest(id="slow", request=puzzle()),
        sudoku_pb2.SolveManyRequest(id="quick", request=Request(cells=[1, 1] + [0] * 79)),
    ]
    replies = [reply.id async for reply in stub.SolveMany(iter(requests))]
    assert replies == ["quick", "slow"]


async def test_many_stops_when_the_client_goes(stub, engine, eventually):
    engine.step_s, engine.steps = 0.01, 10**6
    effort = common_pb2.Effort(max_steps=1024)

    async def requests():
        while True:
            yield sudoku_pb2.SolveManyRequest(id="x", request=puzzle(effort=effort))

    call = stub.SolveMany(requests())
    reading = asyncio.ensure_future(finish(call))
    await eventually(lambda: engine.running == 3)
    reading.cancel()
    await eventually(lambda: engine.cancelled == 3)
    assert engine.running == 0


async def test_many_of_none_is_an_empty_stream(stub):
    assert [reply async for reply in stub.SolveMany(iter([]))] == []
