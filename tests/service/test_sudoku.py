"""Sudoku.Solve and SolveStream over real gRPC."""

import asyncio

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from inkfill.v1 import common_pb2, sudoku_pb2, sudoku_pb2_grpc
from ortools.sat.python import cp_model

from engine.client import EngineOverloadedError, EngineStoppedError
from solvers.exact import Found, Search, choose, search
from solvers.stop import Stop
from tests.service.fakes import PUZZLE, SOLUTION, cells
from tests.service.wire import detail, finish, rich_status, violation

Request = sudoku_pb2.SolveRequest


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> sudoku_pb2_grpc.SudokuStub:
    return sudoku_pb2_grpc.SudokuStub(channel)


def puzzle(**fields: object) -> Request:
    return Request(**{"cells": cells(PUZZLE), **fields})


async def test_a_puzzle_is_solved_and_the_report_says_how(stub, engine):
    response = await stub.Solve(puzzle(effort=common_pb2.Effort(seed=7)))
    assert response.outcome == common_pb2.SOLVED
    assert list(response.cells) == cells(SOLUTION)
    assert not response.HasField("unique")
    report = response.report
    assert (report.model, report.weights_digest) == ("oracle", "d" * 64)
    assert (report.method, report.seed, report.steps) == (common_pb2.DIFFUSION, 7, 3)
    assert report.candidates == 1
    assert report.queue_ms == 1.5
    assert engine.requests[0].seed == 7


async def test_a_seed_is_drawn_and_named_where_none_is_given(stub, engine):
    response = await stub.Solve(puzzle())
    assert response.report.seed == engine.requests[0].seed


async def test_a_seed_of_zero_is_a_seed(stub, engine):
    await stub.Solve(puzzle(effort=common_pb2.Effort(seed=0)))
    assert engine.requests[0].seed == 0


async def test_every_field_of_the_effort_reaches_the_solver(stub, engine):
    effort = common_pb2.Effort(
        max_steps=2, candidates=3, guidance=common_pb2.PROPAGATE, exact_fallback=False
    )
    await stub.Solve(puzzle(effort=effort))
    assert {r.candidate for r in engine.requests} == {0, 1, 2}
    assert all(r.guided and r.sampling.max_steps == 2 for r in engine.requests)
    assert not any(r.wants_belief for r in engine.requests)


async def test_a_wrong_draft_is_completed_exactly(stub, engine):
    engine.right = False
    response = await stub.Solve(puzzle())
    assert response.outcome == common_pb2.SOLVED
    assert response.report.method == common_pb2.EXACT
    assert list(response.cells) == cells(SOLUTION)


async def test_a_wrong_draft_stays_undecided_without_exact_completion(stub, engine):
    engine.right = False
    response = await stub.Solve(puzzle(effort=common_pb2.Effort(exact_fallback=False)))
    assert response.outcome == common_pb2.UNDECIDED
    assert response.report.method == common_pb2.METHOD_UNSPECIFIED
    assert len(response.cells) == 81


async def test_contradictory_clues_are_an_outcome_with_their_cells(stub, engine):
    given = cells(PUZZLE)
    given[2] = 5  # row 0 and its box have a 5 in cell 0
    response = await stub.Solve(Request(cells=given))
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert list(response.conflicts) == [0, 2]
    assert not response.cells
    assert engine.requests == []


async def test_a_puzzle_without_an_answer_is_proved_so_and_names_no_conflict(stub, engine):
    engine.right = False
    given = [0] * 16
    given[0:3], given[7] = [1, 2, 3], 4  # row 0 needs its 4 where column 3 already has one
    response = await stub.Solve(Request(cells=given, box_rows=2, box_cols=2))
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert not response.conflicts


async def test_uniqueness_is_proved_on_request(stub):
    assert (await stub.Solve(puzzle(prove_unique=True))).unique is True
    several = cells(SOLUTION)[:36] + [0] * 45
    response = await stub.Solve(Request(cells=several, prove_unique=True))
    assert response.HasField("unique")
    assert response.unique is False


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        (Request(), "cells", "got 0, accepted: 81"),
        (Request(cells=[0] * 80), "cells", "got 80, accepted: 81"),
        (Request(cells=[0] * 9000), "cells", "got 9000, accepted: 81"),
        (Request(cells=[0] * 40 + [10] + [0] * 40), "cells[40]", "got 10, accepted: 0"),
        (Request(cells=[2**32 - 1] + [0] * 80), "cells[0]", "got 4294967295"),
        (Request(cells=[0] * 16, box_rows=2), "cells", "got 16, accepted: 36"),
        (puzzle(box_rows=0), "box_rows", "got 0, accepted: 1 to 16"),
        (puzzle(box_cols=0), "box_cols", "got 0, accepted: 1 to 16"),
        (puzzle(box_cols=2**32 - 1), "box_cols", "got 4294967295, accepted: 1 to 16"),
        (puzzle(box_rows=5, box_cols=4), "box_rows", "must be 4 to 16"),
        (Request(cells=[0] * 256, box_rows=4, box_cols=4), "box_rows", "accepted: up to 144"),
        (puzzle(effort=common_pb2.Effort(max_steps=0)), "effort.max_steps", "1 to 1024"),
        (puzzle(effort=common_pb2.Effort(max_steps=10**9)), "effort.max_steps", "1 to 1024"),
        (puzzle(effort=common_pb2.Effort(candidates=257)), "effort.candidates", "1 to 256"),
        (puzzle(effort=common_pb2.Effort(seed=2**63)), "effort.seed", "2^63 - 1"),
        (puzzle(effort=common_pb2.Effort(guidance=9)), "effort.guidance", "AUTO (1), NONE (2)"),
    ],
)
@pytest.mark.parametrize("method", ["Solve", "SolveStream"])
async def test_a_bad_request_is_refused_with_its_field(stub, engine, method, request_, field, said):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(getattr(stub, method)(request_))
    path, description = violation(rich_status(caught.value))
    assert path == field
    assert said in description
    assert engine.requests == []


async def test_a_full_queue_says_when_to_try_again(stub, engine):
    engine.error = EngineOverloadedError("full")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Solve(puzzle())
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    delay = detail(rich_status(caught.value), error_details_pb2.RetryInfo).retry_delay
    assert delay.ToTimedelta().total_seconds() == 1


async def test_a_stopped_engine_is_unavailable(stub, engine):
    engine.error = EngineStoppedError("stopping")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Solve(puzzle())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert detail(rich_status(caught.value), error_details_pb2.RetryInfo).retry_delay.seconds == 5


async def test_a_stream_shows_each_step_in_order_and_ends_with_the_response(stub):
    events = [event async for event in stub.SolveStream(puzzle())]
    assert [event.WhichOneof("event") for event in events] == ["draft"] * 3 + ["response"]
    assert [event.draft.step for event in events[:3]] == [1, 2, 3]
    draft = events[0].draft
    assert list(draft.cells) == cells(SOLUTION)
    assert list(draft.accepted) == [True] * 81
    assert list(draft.entropy) == [0.25] * 81
    assert (draft.candidate, draft.method) == (0, common_pb2.DIFFUSION)
    assert events[-1].response.outcome == common_pb2.SOLVED


async def test_a_stream_shows_what_guidance_does_after_the_model_alone(stub, engine):
    engine.right = False
    events = [event async for event in stub.SolveStream(puzzle())]
    assert [event.draft.method for event in events[:-1]] == [
        *[common_pb2.DIFFUSION] * 3,
        *[common_pb2.GUIDED_DIFFUSION] * 3,
    ]
    assert events[-1].response.report.method == common_pb2.EXACT


async def test_a_contradiction_in_a_stream_is_its_only_event(stub):
    events = [event async for event in stub.SolveStream(Request(cells=[1, 1] + [0] * 79))]
    assert [event.response.outcome for event in events] == [common_pb2.UNSATISFIABLE]


@pytest.mark.parametrize("method", ["Solve", "SolveStream"])
async def test_cancelling_a_call_takes_its_canvases_out(stub, engine, eventually, method):
    engine.step_s, engine.steps = 0.01, 10**6
    call = getattr(stub, method)(puzzle(effort=common_pb2.Effort(candidates=2, max_steps=1024)))
    reading = asyncio.ensure_future(finish(call))
    await eventually(lambda: engine.running == 2)
    reading.cancel()
    await eventually(lambda: engine.cancelled == 2)
    assert engine.running == 0


@pytest.mark.parametrize("method", ["Solve", "SolveStream"])
async def test_a_passed_deadline_takes_the_canvases_out(stub, engine, eventually, method):
    engine.step_s, engine.steps = 0.01, 10**6
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(
            getattr(stub, method)(puzzle(effort=common_pb2.Effort(max_steps=1024)), timeout=0.1)
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: engine.cancelled == 1)


@pytest.fixture
def searching(monkeypatch: pytest.MonkeyPatch) -> set[Search]:
    """Makes every exact search one that does not end by itself; those that run now."""
    running: set[Search] = set()

    def never_ending(_: cp_model.CpModel, settings: Search, stop: Stop | None) -> Found:
        pigeons = cp_model.CpModel()  # one more than there are holes
        choices = choose(pigeons, np.ones((41, 40), np.bool_))
        for hole in range(40):
            pigeons.add_at_most_one(choices.taking(range(41), hole))
        running.add(settings)
        try:
            return search(pigeons, settings, stop)
        finally:
            running.discard(settings)

    monkeypatch.setattr("solvers.sudoku.exact.search", never_ending)
    return running


@pytest.mark.parametrize("method", ["Solve", "SolveStream"])
@pytest.mark.parametrize("proving", [False, True])
async def test_cancelling_a_call_stops_its_exact_search(
    stub, engine, searching, eventually, method, proving
):
    engine.right = proving
    call = getattr(stub, method)(puzzle(prove_unique=proving), timeout=50)
    reading = asyncio.ensure_future(finish(call))
    await eventually(lambda: len(searching) == 1)
    call.cancel()  # a task that is cancelled between two reads does not always tell its call
    await eventually(lambda: not searching)
    await asyncio.gather(reading, return_exceptions=True)


async def test_a_search_without_an_end_leaves_the_proof_out(
    stub, searching, eventually, monkeypatch
):
    monkeypatch.setattr("solvers.search_pool.DEFAULT_LIMIT_S", 0.2)
    response = await stub.Solve(puzzle(prove_unique=True))
    assert response.outcome == common_pb2.SOLVED
    assert not response.HasField("unique")
    await eventually(lambda: not searching)


async def test_a_passed_deadline_stops_the_exact_search(stub, engine, searching, eventually):
    engine.right = False
    call = asyncio.ensure_future(finish(stub.SolveStream(puzzle(), timeout=0.5)))
    await eventually(lambda: len(searching) == 1)
    await asyncio.wait([call], timeout=2)
    await eventually(lambda: not searching)


async def test_searches_have_only_so_many_places_and_the_rest_goes_on(
    stub, engine, searching, eventually, monkeypatch
):
    monkeypatch.setattr("solvers.search_pool.DEFAULT_LIMIT_S", 1.0)
    engine.right = False
    calls = [stub.Solve(puzzle()) for _ in range(8)]
    await eventually(lambda: len(searching) == 2)
    without = common_pb2.Effort(exact_fallback=False)
    assert (await stub.Solve(puzzle(effort=without))).outcome == common_pb2.UNDECIDED
    assert len(searching) == 2
    async with asyncio.timeout(5):
        answers = [(await call).outcome for call in calls]
    assert answers == [common_pb2.UNDECIDED] * 8
