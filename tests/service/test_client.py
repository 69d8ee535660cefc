"""The Python client against a real server with a fake engine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from engine.canvas import FinishReason, SamplingParams
from engine.client import EngineOverloadedError, EngineStoppedError
from service.client import InkfillClient, SyncInkfillClient
from service.client_errors import (
    DeadlineError,
    InvalidRequestError,
    MessageTooLargeError,
    ModelNotFoundError,
    OverloadedError,
    ServerFaultError,
    UnavailableError,
    Violation,
)
from service.client_messages import CanvasDraft, DenoisedCanvas, SudokuAnswer, SudokuDraft
from service.server import Server
from solvers.base import Effort, EffortError, Guidance, Method, Outcome
from solvers.problem_error import ProblemError
from tests.service.fakes import PUZZLE, SOLUTION, SUDOKU, TEXT, cells
from tests.service.wire import finish


@pytest.fixture
async def client(server: Server) -> AsyncIterator[InkfillClient]:
    async with InkfillClient(server.address) as opened:
        yield opened


@pytest.mark.parametrize("puzzle", [PUZZLE, cells(PUZZLE), tuple(cells(PUZZLE))])
async def test_a_puzzle_may_be_text_or_cells(client, puzzle):
    answer = await client.solve_sudoku(puzzle, effort=Effort(seed=3), prove_unique=True)
    assert answer.outcome is Outcome.SOLVED
    assert answer.cells == tuple(cells(SOLUTION))
    assert answer.unique is True
    assert answer.conflicts == ()
    report = answer.report
    assert (report.model, report.method, report.seed) == ("oracle", Method.DIFFUSION, 3)


async def test_every_field_of_an_effort_is_sent(client, engine):
    effort = Effort(
        max_steps=2, candidates=2, seed=0, guidance=Guidance.PROPAGATE, exact_fallback=False
    )
    answer = await client.solve_sudoku(PUZZLE, effort=effort)
    assert answer.report.method is Method.GUIDED_DIFFUSION
    assert [r.candidate for r in engine.requests] == [0, 1]
    assert all(r.sampling.max_steps == 2 and r.seed == 0 for r in engine.requests)


async def test_the_fields_of_an_effort_may_be_given_one_by_one(client, engine):
    answer = await client.solve_sudoku(
        PUZZLE,
        max_steps=2,
        candidates=2,
        seed=0,
        guidance=Guidance.PROPAGATE,
        exact_fallback=False,
    )
    assert answer.report.method is Method.GUIDED_DIFFUSION
    assert [r.candidate for r in engine.requests] == [0, 1]
    assert all(r.sampling.max_steps == 2 and r.seed == 0 for r in engine.requests)


async def test_what_is_given_beside_an_effort_wins_over_it(client):
    effort = Effort(seed=3, guidance=Guidance.PROPAGATE)
    answer = await client.solve_sudoku(PUZZLE, effort=effort, seed=4)
    assert (answer.report.seed, answer.report.method) == (4, Method.GUIDED_DIFFUSION)


async def test_an_effort_out_of_range_is_refused_before_it_is_sent(client, engine):
    with pytest.raises(EffortError, match="max_steps: got 0, accepted: 1 to 1024"):
        await client.solve_sudoku(PUZZLE, max_steps=0)
    assert engine.requests == []


async def test_text_of_another_size_brings_its_box(client):
    answer = await client.solve_sudoku("12..|..12|....|....", effort=Effort(candidates=1))
    assert answer.outcome is Outcome.SOLVED
    assert len(answer.cells) == 16


async def test_contradictory_clues_come_with_their_cells(client):
    answer = await client.solve_sudoku([1, 1] + [0] * 79)
    assert (answer.outcome, answer.conflicts, answer.cells) == (Outcome.UNSATISFIABLE, (0, 1), ())
    assert answer.report.method is None
    assert answer.unique is None


async def test_text_that_is_no_puzzle_is_refused_before_it_is_sent(client):
    with pytest.raises(ProblemError, match="character 3"):
        await client.solve_sudoku("53?" + "." * 78)
    with pytest.raises(ProblemError, match=r"cells: .*accepted: whole numbers from 0"):
        await client.solve_sudoku([-1] + [0] * 80)


async def test_drafts_come_before_the_answer(client):
    events = [event async for event in client.stream_sudoku(PUZZLE)]
    assert all(isinstance(event, SudokuDraft) for event in events[:-1])
    assert [event.step for event in events[:-1]] == [1, 2, 3]
    assert events[0].cells == tuple(cells(SOLUTION))
    assert (events[0].candidate, events[0].method) == (0, Method.DIFFUSION)
    assert isinstance(events[-1], SudokuAnswer)


async def test_leaving_a_stream_early_cancels_it(client, engine, eventually):
    engine.step_s, engine.steps = 0.01, 10**6
    async with aclosing(client.stream_sudoku(PUZZLE, effort=Effort(max_steps=1024))) as events:
        assert (await anext(events)).step == 1
    await eventually(lambda: engine.cancelled == 1)


async def test_many_come_back_by_id_and_a_bad_one_as_an_error(client):
    puzzles = {"text": PUZZLE, "cells": cells(PUZZLE), "short": [0] * 80}
    replies = {name: reply async for name, reply in client.solve_many_sudoku(puzzles)}
    assert replies["text"].cells == replies["cells"].cells == tuple(cells(SOLUTION))
    assert isinstance(replies["short"], InvalidRequestError)
    assert replies["short"].violations[0].field == "cells"


async def test_a_canvas_is_denoised_as_asked(client, engine):
    canvas = await client.denoise(
        "scribe",
        length=4,
        prompt=[1],
        clamps={0: 9},
        domains=[([1, 2], [30, 31])],
        sampling=SamplingParams(max_steps=2),
        seed=8,
    )
    assert isinstance(canvas, DenoisedCanvas)
    assert canvas.tokens == (9, 30, 30, 0)
    assert canvas.finish_reason is FinishReason.STABLE
    assert (canvas.report.seed, canvas.report.steps) == (8, 2)
    assert engine.requests[0].prompt == (1,)


async def test_a_canvas_streams_its_drafts(client):
    events = [event async for event in client.denoise_stream("scribe", length=4)]
    assert [type(event) for event in events] == [*[CanvasDraft] * 3, DenoisedCanvas]
    assert events[0].accepted == (True,) * 4


async def test_models_are_what_the_engine_says(client):
    assert await client.models() == (SUDOKU, TEXT)
    assert await client.model("scribe") == TEXT


async def test_a_refused_request_names_its_fields(client):
    with pytest.raises(InvalidRequestError) as caught:
        await client.solve_sudoku([0] * 80)
    assert caught.value.violations == (
        Violation("cells", "got 80, accepted: 81 for boxes of 3 x 3"),
    )
    assert caught.value.is_callers
    assert caught.value.request_id


async def test_a_model_that_is_not_loaded_is_named(client):
    with pytest.raises(ModelNotFoundError) as caught:
        await client.model("nobody")
    assert (caught.value.name, caught.value.violations) == ("nobody", ())
    with pytest.raises(ModelNotFoundError) as caught:
        await client.denoise("nobody")
    assert caught.value.name == "nobody"
    assert caught.value.violations[0].field == "model"


async def test_a_full_queue_says_when_to_try_again(client, engine):
    engine.error = EngineOverloadedError("full")
    with pytest.raises(OverloadedError) as caught:
        await client.solve_sudoku(PUZZLE)
    assert caught.value.retry_after_s == 1
    assert not caught.value.is_callers


async def test_a_stopping_engine_says_when_to_try_again(client, engine):
    engine.error = EngineStoppedError("gone")
    with pytest.raises(UnavailableError) as caught:
        await client.solve_sudoku(PUZZLE)
    assert caught.value.retry_after_s == 5


async def test_a_server_that_is_not_there_is_unavailable(unused_tcp_port):
    async with InkfillClient(f"127.0.0.1:{unused_tcp_port}") as client:
        with pytest.raises(UnavailableError) as caught:
            await client.models()
    assert caught.value.retry_after_s is None


async def test_an_answer_that_does_not_come_in_time_is_a_timeout(server, engine):
    engine.step_s, engine.steps = 0.01, 10**6
    async with InkfillClient(server.address, timeout=0.1) as client:
        with pytest.raises(DeadlineError):
            await client.solve_sudoku(PUZZLE, effort=Effort(max_steps=1024))
        with pytest.raises(TimeoutError):
            await finish(client.stream_sudoku(PUZZLE, effort=Effort(max_steps=1024)))


async def test_a_request_that_is_too_large_is_the_callers_to_mend(client):
    with pytest.raises(MessageTooLargeError):
        await client.solve_sudoku([1] * 100_000)


async def test_a_fault_of_the_server_names_the_request(client, engine):
    engine.error = RuntimeError("secret")
    with pytest.raises(ServerFaultError) as caught:
        await client.solve_sudoku(PUZZLE)
    assert caught.value.request_id
    assert "secret" not in str(caught.value)


def with_sync_client(address: str, work: Callable[[SyncInkfillClient], None]) -> None:
    with SyncInkfillClient(address) as client:
        work(client)


async def test_the_client_without_asyncio_does_the_same(server, engine):
    def work(client: SyncInkfillClient) -> None:
        assert client.solve_sudoku(PUZZLE).outcome is Outcome.SOLVED
        events = list(client.stream_sudoku(PUZZLE))
        assert [type(event) for event in events] == [*[SudokuDraft] * 3, SudokuAnswer]
        assert dict(client.solve_many_sudoku({"a": PUZZLE}))["a"].outcome is Outcome.SOLVED
        assert len(client.denoise("scribe", length=3).tokens) == 3
        assert len(list(client.denoise_stream("scribe", length=3))) == 4
        assert client.models() == (SUDOKU, TEXT)
        assert client.model("oracle") == SUDOKU
        with pytest.raises(InvalidRequestError):
            client.solve_sudoku([0] * 80)

    await asyncio.to_thread(with_sync_client, server.address, work)


async def test_a_sync_stream_that_is_left_early_is_cancelled(server, engine, eventually):
    engine.step_s, engine.steps = 0.01, 10**6

    def work(client: SyncInkfillClient) -> None:
        for _ in client.stream_sudoku(PUZZLE, effort=Effort(max_steps=1024)):
            break

    await asyncio.to_thread(with_sync_client, server.address, work)
    await eventually(lambda: engine.cancelled == 1)


def test_a_synchronous_client_may_be_closed_again() -> None:
    with SyncInkfillClient("127.0.0.1:1") as client:
        client.close()
    client.close()
