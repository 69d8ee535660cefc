"""The graph service at its limits: the largest graphs and messages."""

import asyncio
import time

import grpc
import networkx as nx
import pytest
from inkfill.v1 import common_pb2, graph_pb2, graph_pb2_grpc

from service.server import Server
from service.servicers.graph_requests import coloring_from
from service.settings import load_settings
from solvers.graph.coloring.fewest import FewestColors
from tests.service.fakes import GRAPHS, TEXT, FakeEngine
from tests.service.graph_calls import DRAFTS_ONLY, RING, Color, ColorClamp, Independent
from tests.service.graphs import message, pairs
from tests.service.wire import rich_status, violation


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(infos=(*GRAPHS, TEXT))


@pytest.fixture
async def roomy(engine: FakeEngine) -> object:
    """A channel to a server with the default limits of messages."""
    async with (
        Server(engine, load_settings(port=0)) as server,
        grpc.aio.insecure_channel(server.address) as channel,
    ):
        yield graph_pb2_grpc.GraphStub(channel)


async def test_a_message_of_four_megabytes_is_refused_for_what_is_in_it(roomy, engine):
    edges = [graph_pb2.Edge(a=300, b=301)] * 400_000
    request = Color(graph=graph_pb2.SimpleGraph(vertices=512, edges=edges), colors=3)
    assert 3 * 2**20 < request.ByteSize() < 4 * 2**20
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await roomy.Color(request)
    field, said = violation(rich_status(caught.value))
    assert (field, said) == ("graph.edges", "got 400000, accepted: at most 130816")
    request = Independent(graph=RING, include=[3] * 4_000_000)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await roomy.IndependentSet(request)
    assert violation(rich_status(caught.value))[0] == "include[1]"
    request.include.extend([3] * 10**6)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await roomy.IndependentSet(request)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_every_edge_of_the_largest_graph_may_be_a_conflict(roomy):
    everything = message(nx.complete_graph(512))
    clamps = [ColorClamp(vertex=vertex) for vertex in range(512)]
    response = await roomy.Color(Color(graph=everything, colors=1, clamps=clamps))
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert pairs(response.conflicts) == pairs(everything.edges)


async def test_the_largest_graph_of_all_leaves_the_event_loop_to_others(roomy):
    request = Color(graph=message(nx.complete_graph(512)), colors=20, effort=DRAFTS_ONLY)
    began = time.perf_counter()
    FewestColors(coloring_from(request)).incumbent()
    in_one_piece = time.perf_counter() - began
    waits = [0.0]

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            waits.append(time.perf_counter() - began)

    await roomy.Color(Color(graph=RING, colors=3, effort=DRAFTS_ONLY))  # compiles
    ticking = asyncio.ensure_future(tick())
    response = await roomy.Color(request)
    request.ClearField("colors")
    request.minimize = True
    best = await roomy.Color(request)
    ticking.cancel()
    assert response.outcome == common_pb2.UNDECIDED
    assert (best.proved_optimal, best.colors_used) == (True, 512)
    assert max(waits) < in_one_piece / 3
