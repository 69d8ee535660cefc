"""The graph service refuses what is malformed, what it has no model for, and what is too much."""

import grpc
import pytest
from google.rpc import error_details_pb2
from inkfill.v1 import canvas_pb2, canvas_pb2_grpc, common_pb2, graph_pb2_grpc

from engine.client import EngineOverloadedError
from service.server import Server
from tests.service.fakes import COLORING, GRAPHS, HAMILTONIAN, INDEPENDENT_SET, TEXT, FakeEngine
from tests.service.graph_calls import (
    ANSWERED,
    DRAFTS_ONLY,
    RING,
    Clique,
    Color,
    ColorClamp,
    Cover,
    Independent,
    Path,
    PositionClamp,
    drafts_only,
    graph,
)
from tests.service.wire import detail, finish, rich_status, violation

TASK_OF = {"Color": COLORING, "Hamil": HAMILTONIAN}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(infos=(*GRAPHS, TEXT))


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> graph_pb2_grpc.GraphStub:
    return graph_pb2_grpc.GraphStub(channel)


@pytest.mark.parametrize(
    ("method", "request_", "field", "said"),
    [
        ("Color", Color(colors=3), "graph.vertices", "got 0, accepted: 1 to 512"),
        ("Color", Color(graph=graph(513), colors=3), "graph.vertices", "got 513"),
        ("Color", Color(graph=graph(2**32 - 1), colors=3), "graph.vertices", "got 4294967295"),
        ("Clique", Clique(graph=graph(10**9)), "graph.vertices", "got 1000000000"),
        ("Path", Path(graph=graph(3, (0, 1), (1, 3))), "graph.edges[1]", "accepted: 0 to 2"),
        ("Path", Path(graph=graph(3, (10**9, 1))), "graph.edges[0]", "vertex 1000000000"),
        ("Cover", Cover(graph=graph(3, (1, 1))), "graph.edges[0]", "self-loop"),
        (
            "Set",
            Independent(graph=graph(6, (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (1, 0))),
            "graph.edges[5]",
            "is also edges[0], accepted: each edge once",
        ),
        ("Color", Color(graph=RING), "colors", "is absent, accepted: 1 to 512"),
        ("Color", Color(graph=RING, colors=0), "colors", "got 0, accepted: 1 to 512"),
        ("Color", Color(graph=RING, colors=0, minimize=True), "colors", "got 0"),
        ("Color", Color(graph=RING, colors=513), "colors", "got 513"),
        (
            "Color",
            Color(graph=RING, colors=3, clamps=[ColorClamp(vertex=v) for v in (0, 2, 4, 5)]),
            "clamps[3].vertex",
            "got 5, accepted: 0 to 4",
        ),
        (
            "Color",
            Color(graph=RING, colors=3, clamps=[ColorClamp(vertex=1, color=3)]),
            "clamps[0].color",
            "got 3, accepted: 0 to 2",
        ),
        (
            "Color",
            Color(graph=RING, colors=3, clamps=[ColorClamp(vertex=1)] * 2),
            "clamps[1].vertex",
            "clamped twice",
        ),
        ("Set", Independent(graph=RING, include=[0, 2, 5]), "include[2]", "got 5"),
        ("Set", Independent(graph=RING, exclude=[1, 1]), "exclude[1]", "is also exclude[0]"),
        ("Set", Independent(graph=RING, include=[1], exclude=[1]), "exclude[0]", "include[0]"),
        ("Set", Independent(graph=RING, target_size=0), "target_size", "got 0, accepted: 1 to 5"),
        ("Clique", Clique(graph=RING, target_size=6), "target_size", "got 6, accepted: 1 to 5"),
        ("Clique", Clique(graph=RING, include=[10**9]), "include[0]", "got 1000000000"),
        ("Cover", Cover(graph=RING, target_size=5), "target_size", "got 5, accepted: 0 to 4"),
        ("Cover", Cover(graph=RING, include=[7]), "include[0]", "got 7, accepted: 0 to 4"),
        ("Cover", Cover(graph=RING, include=[1], exclude=[1]), "exclude[0]", "include[0]"),
        ("Path", Path(graph=RING, start=5), "start", "got 5, accepted: 0 to 4"),
        ("Path", Path(graph=RING, end=5), "end", "got 5, accepted: 0 to 4"),
        ("Path", Path(graph=RING, start=1, end=1), "end", "is also at position 0"),
        (
            "Path",
            Path(graph=RING, clamps=[PositionClamp(vertex=0, position=5)]),
            "clamps[0].position",
            "got 5, accepted: 0 to 4",
        ),
        (
            "Path",
            Path(graph=RING, start=0, clamps=[PositionClamp(vertex=1, position=0)]),
            "clamps[0].position",
            "is also that of vertex 0",
        ),
        (
            "Color",
            Color(graph=RING, colors=3, effort=common_pb2.Effort(max_steps=0)),
            "effort.max_steps",
            "1 to 1024",
        ),
        (
            "Cover",
            Cover(graph=RING, effort=common_pb2.Effort(candidates=257)),
            "effort.candidates",
            "1 to 256",
        ),
        ("Path", Path(graph=RING, effort=common_pb2.Effort(seed=2**63)), "effort.seed", "2^63 - 1"),
        (
            "Set",
            Independent(graph=RING, effort=common_pb2.Effort(guidance=9)),
            "effort.guidance",
            "",
        ),
        (
            "Color",
            Color(graph=RING, colors=33, effort=DRAFTS_ONLY),
            "effort.exact_fallback",
            "32 colors",
        ),
        (
            "Path",
            Path(graph=graph(65, (0, 1)), effort=DRAFTS_ONLY),
            "effort.exact_fallback",
            "takes 32 vertices",
        ),
    ],
)
async def test_a_bad_request_is_refused_with_its_field(stub, engine, method, request_, field, said):
    name = {"Set": "IndependentSet", "Cover": "VertexCover", "Path": "HamiltonianPath"}
    for kind in {name.get(method, method), f"{name.get(method, method)}Stream"} & set(ANSWERED):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(getattr(stub, kind)(request_))
        path, description = violation(rich_status(caught.value))
        assert path == field
        assert said in description
    assert engine.requests == []


@pytest.mark.parametrize("loaded", GRAPHS, ids=lambda info: info.task)
async def test_a_method_whose_model_is_missing_is_unimplemented(settings, loaded):
    async with Server(FakeEngine(infos=(loaded,)), settings) as server:
        assert "inkfill.v1.Graph" in server.services
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = graph_pb2_grpc.GraphStub(channel)
            for method, (request, _) in ANSWERED.items():
                needed = TASK_OF.get(method[:5], INDEPENDENT_SET)
                if needed is loaded:
                    await finish(getattr(stub, method)(drafts_only(request)))
                    continue
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await finish(getattr(stub, method)(request))
                assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
                assert f"no model for the task '{needed.task}'" in caught.value.details()
                assert "inkfill serve --model" in caught.value.details()


async def test_a_server_without_a_graph_model_does_not_offer_graphs(settings):
    async with Server(FakeEngine(infos=(TEXT,)), settings) as server:
        assert "inkfill.v1.Graph" not in server.services


@pytest.mark.parametrize("loaded", GRAPHS, ids=lambda info: info.task)
async def test_a_canvas_of_a_graph_model_is_sent_to_the_graph_service(channel, loaded):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await canvas_pb2_grpc.CanvasStub(channel).Denoise(
            canvas_pb2.DenoiseRequest(model=loaded.name)
        )
    field, said = violation(rich_status(caught.value))
    assert field == "model"
    assert "use inkfill.v1.Graph" in said


@pytest.mark.parametrize("method", ANSWERED)
async def test_a_full_queue_says_when_to_try_again(stub, engine, method):
    engine.error = EngineOverloadedError("full")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(getattr(stub, method)(ANSWERED[method][0]))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    delay = detail(rich_status(caught.value), error_details_pb2.RetryInfo).retry_delay
    assert delay.ToTimedelta().total_seconds() == 1
