"""Calls of the graph service that are cancelled, or run out of time."""

import asyncio
import threading

import grpc
import pytest
from inkfill.v1 import common_pb2, graph_pb2_grpc

from solvers.stop import Stop
from tests.service.fakes import GRAPHS, TEXT, FakeEngine
from tests.service.graph_calls import (
    ANSWERED,
    RING,
    STAR,
    Clique,
    Color,
    Cover,
    Independent,
    drafts_only,
)
from tests.service.wire import finish


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(infos=(*GRAPHS, TEXT))


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> graph_pb2_grpc.GraphStub:
    return graph_pb2_grpc.GraphStub(channel)


@pytest.mark.parametrize("method", ANSWERED)
async def test_cancelling_a_call_takes_its_canvases_out(stub, engine, eventually, method):
    engine.step_s, engine.steps = 0.01, 10**6
    request = drafts_only(ANSWERED[method][0])
    request.effort.MergeFrom(common_pb2.Effort(candidates=2, max_steps=1024))
    reading = asyncio.ensure_future(finish(getattr(stub, method)(request)))
    await eventually(lambda: engine.running == 2)
    reading.cancel()
    await eventually(lambda: engine.cancelled == 2)
    assert engine.running == 0


@pytest.mark.parametrize("method", ANSWERED)
async def test_a_passed_deadline_takes_the_canvases_out(stub, engine, eventually, method):
    engine.step_s, engine.steps = 0.01, 10**6
    request = drafts_only(ANSWERED[method][0])
    request.effort.max_steps = 1024
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(getattr(stub, method)(request, timeout=0.3))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: engine.cancelled == 1)


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("Color", Color(graph=RING, minimize=True)),
        ("IndependentSet", Independent(graph=RING)),
        ("Clique", Clique(graph=STAR)),
        ("VertexCover", Cover(graph=RING)),
    ],
)
async def test_the_best_answer_by_the_deadline_is_returned(stub, engine, method, request_):
    engine.step_s, engine.steps = 0.01, 10**6
    request_ = drafts_only(request_)
    request_.effort.max_steps = 1024
    response = await getattr(stub, method)(request_, timeout=0.5)
    assert response.outcome == common_pb2.SOLVED
    assert not response.proved_optimal
    assert response.report.method == common_pb2.LOCAL_SEARCH
    assert engine.cancelled == 1


@pytest.fixture
def searching(monkeypatch: pytest.MonkeyPatch) -> set[Stop]:
    """Makes every exact search one that does not end by itself; those that run now."""
    running: set[Stop] = set()

    def never_ending(self, problem, belief, seed, limit_s, stop):
        asked = threading.Event()
        running.add(stop)
        with stop.obeyed_by(asked.set):
            asked.wait(20)
        running.discard(stop)
        raise AssertionError("nobody wants to know")

    for solver in (
        "coloring.solver.ColoringSolver",
        "independent_set.solver.IndependentSetSolver",
        "hamiltonian.solver.HamiltonianSolver",
    ):
        monkeypatch.setattr(f"solvers.graph.{solver}.complete", never_ending)
    return running


@pytest.mark.parametrize("method", ANSWERED)
async def test_cancelling_a_call_stops_its_exact_search(stub, searching, eventually, method):
    request, _ = ANSWERED[method]
    call = getattr(stub, method)(request, timeout=50)
    reading = asyncio.ensure_future(finish(call))
    await eventually(lambda: len(searching) == 1)
    call.cancel()  # a task that is cancelled between two reads does not always tell its call
    await eventually(lambda: not searching)
    await asyncio.gather(reading, return_exceptions=True)
