"""The graph service over real gRPC, with an engine that is told what to show."""

import asyncio
import threading
import time

import grpc
import networkx as nx
import pytest
from google.rpc import error_details_pb2
from inkfill.v1 import (
    canvas_pb2,
    canvas_pb2_grpc,
    common_pb2,
    graph_pb2,
    graph_pb2_grpc,
)

from engine.client import EngineOverloadedError
from service.server import Server
from service.servicers.graph_requests import coloring_from
from service.settings import load_settings
from solvers.graph.coloring.fewest import FewestColors
from solvers.stop import Stop
from tests.service.fakes import COLORING, GRAPHS, HAMILTONIAN, INDEPENDENT_SET, TEXT, FakeEngine
from tests.service.graphs import message, pairs
from tests.service.wire import detail, finish, rich_status, violation

Color = graph_pb2.ColorRequest
Independent = graph_pb2.IndependentSetRequest
Clique = graph_pb2.CliqueRequest
Cover = graph_pb2.VertexCoverRequest
Path = graph_pb2.HamiltonianPathRequest
ColorClamp = graph_pb2.ColorClamp
PositionClamp = graph_pb2.PositionClamp

#: One candidate, where canvases and drafts are counted.
ONE = common_pb2.Effort(candidates=1)
DRAFTS_ONLY = common_pb2.Effort(candidates=1, exact_fallback=False)
RING = message(nx.cycle_graph(5))
STAR = message(nx.complement(nx.cycle_graph(5)))
PATH = message(nx.path_graph(4))
COMPLETE = message(nx.complete_graph(4))

#: Each method, and a request that is answered by what ``shows`` says.
ANSWERED = {
    "Color": (Color(graph=RING, colors=3, effort=ONE), (0, 1, 2, 0, 1)),
    "ColorStream": (Color(graph=RING, colors=3, effort=ONE), (0, 1, 2, 0, 1)),
    "IndependentSet": (Independent(graph=RING, target_size=2, effort=ONE), (1, 0, 1, 0, 0)),
    "IndependentSetStream": (Independent(graph=RING, target_size=2, effort=ONE), (1, 0, 1, 0, 0)),
    "Clique": (Clique(graph=RING, target_size=2, effort=ONE), (0, 1, 1, 0, 0)),
    "VertexCover": (Cover(graph=RING, target_size=3, effort=ONE), (1, 0, 1, 0, 0)),
    "HamiltonianPath": (Path(graph=STAR, effort=ONE), (0, 3, 1, 4, 2)),
    "HamiltonianPathStream": (Path(graph=STAR, effort=ONE), (0, 3, 1, 4, 2)),
}
STREAMS = [name for name in ANSWERED if name.endswith("Stream")]
TASK_OF = {"Color": COLORING, "Hamil": HAMILTONIAN}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(infos=(*GRAPHS, TEXT))


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> graph_pb2_grpc.GraphStub:
    return graph_pb2_grpc.GraphStub(channel)


def drafts_only(request: object) -> object:
    """The request with one candidate and without exact search."""
    copy = type(request)()
    copy.CopyFrom(request)
    copy.effort.MergeFrom(DRAFTS_ONLY)
    return copy


def graph(vertices: int, *edges: tuple[int, int]) -> graph_pb2.SimpleGraph:
    return graph_pb2.SimpleGraph(
        vertices=vertices, edges=[graph_pb2.Edge(a=a, b=b) for a, b in edges]
    )


async def test_a_graph_is_coloured_and_the_report_says_how(stub, engine):
    engine.shows = (0, 1, 2, 0, 1)
    request = Color(graph=RING, colors=3, effort=common_pb2.Effort(seed=7, candidates=1))
    response = await stub.Color(request)
    assert response.outcome == common_pb2.SOLVED
    assert list(response.vertex_colors) == list(engine.shows)
    assert response.colors_used == 3
    assert not response.proved_optimal
    assert not response.HasField("lower_bound")
    report = response.report
    assert (report.model, report.method, report.seed) == (COLORING.name, common_pb2.DIFFUSION, 7)
    assert (report.steps, report.candidates) == (3, 1)


async def test_clamps_keep_their_colours_and_reach_the_canvas(stub, engine):
    engine.shows = (0, 1, 0, 1, 0)
    clamps = [ColorClamp(vertex=4, color=2), ColorClamp(vertex=0, color=1)]
    request = Color(graph=RING, colors=3, clamps=clamps, effort=DRAFTS_ONLY)
    response = await stub.Color(request)
    assert response.outcome == common_pb2.UNDECIDED
    assert [response.vertex_colors[v] for v in (0, 4)] == [1, 2]
    assert [engine.requests[0].clamps[v] for v in (0, 4)] == [1, 2]


async def test_clamps_that_clash_are_an_outcome_with_their_edges(stub, engine):
    clamps = [ColorClamp(vertex=v, color=1) for v in (3, 0, 4)]
    for request in (
        Color(graph=RING, colors=3, clamps=clamps),
        Color(graph=RING, minimize=True, clamps=clamps),
    ):
        response = await stub.Color(request)
        assert response.outcome == common_pb2.UNSATISFIABLE
        assert pairs(response.conflicts) == [(0, 4), (3, 4)]
        assert not response.vertex_colors
        assert not response.HasField("lower_bound")
        assert response.report.method == common_pb2.METHOD_UNSPECIFIED
    assert engine.requests == []


async def test_the_least_number_of_colours_is_proved_by_a_clique(stub, engine):
    response = await stub.Color(Color(graph=COMPLETE, minimize=True))
    assert response.outcome == common_pb2.SOLVED
    assert sorted(response.vertex_colors) == [0, 1, 2, 3]
    assert (response.proved_optimal, response.lower_bound) == (True, 4)
    assert response.report.method == common_pb2.LOCAL_SEARCH
    assert engine.requests == []


async def test_fewer_colours_that_are_neither_found_nor_disproved_leave_a_bound(stub):
    response = await stub.Color(Color(graph=RING, minimize=True, effort=DRAFTS_ONLY))
    assert (response.outcome, response.colors_used) == (common_pb2.SOLVED, 3)
    assert (response.proved_optimal, response.lower_bound) == (False, 2)


async def test_a_colouring_that_no_canvas_can_improve_is_returned_as_it_is(stub, engine):
    ring_and_33 = nx.complement(nx.disjoint_union(nx.cycle_graph(5), nx.empty_graph(33)))
    request = Color(graph=message(ring_and_33), minimize=True, effort=DRAFTS_ONLY)
    response = await stub.Color(request)
    assert (response.outcome, response.colors_used) == (common_pb2.SOLVED, 36)
    assert (response.proved_optimal, response.lower_bound) == (False, 35)
    assert engine.requests == []


async def test_a_clamped_colour_counts_with_those_below_it(stub):
    clamps = [ColorClamp(vertex=1, color=3)]
    response = await stub.Color(Color(graph=PATH, minimize=True, clamps=clamps))
    assert response.vertex_colors[1] == 3
    assert (response.proved_optimal, response.lower_bound, response.colors_used) == (True, 4, 3)


async def test_fewer_colours_than_a_clique_has_are_proved_not_to_suffice(stub, engine):
    response = await stub.Color(Color(graph=COMPLETE, minimize=True, colors=2))
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert (response.lower_bound, response.proved_optimal) == (4, False)
    assert not response.conflicts
    assert engine.requests == []


async def test_a_set_of_the_target_size_is_chosen(stub, engine):
    engine.shows = (0, 1, 0, 0, 1)
    request = Independent(graph=RING, target_size=2, include=[4], exclude=[0])
    response = await stub.IndependentSet(request)
    assert response.outcome == common_pb2.SOLVED
    assert list(response.vertices) == [1, 4]
    assert not response.proved_optimal
    assert not response.HasField("upper_bound")
    assert response.report.model == INDEPENDENT_SET.name
    assert [engine.requests[0].clamps[v] for v in (0, 4)] == [0, 1]


async def test_the_largest_set_is_proved_by_a_cover_of_cliques(stub, engine):
    response = await stub.IndependentSet(Independent(graph=PATH))
    assert (response.outcome, len(response.vertices)) == (common_pb2.SOLVED, 2)
    assert (response.proved_optimal, response.upper_bound) == (True, 2)
    assert engine.requests == []


async def test_a_larger_set_that_is_neither_found_nor_disproved_leaves_a_bound(stub):
    response = await stub.IndependentSet(Independent(graph=RING, effort=DRAFTS_ONLY))
    assert (response.outcome, len(response.vertices)) == (common_pb2.SOLVED, 2)
    assert (response.proved_optimal, response.upper_bound) == (False, 3)


@pytest.mark.parametrize("target", [None, 3])
async def test_included_vertices_that_share_an_edge_are_an_outcome(stub, engine, target):
    request = Independent(graph=RING, include=[1, 0, 3], target_size=target)
    response = await stub.IndependentSet(request)
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert pairs(response.conflicts) == [(0, 1)]
    assert not response.HasField("upper_bound")
    assert engine.requests == []


async def test_the_largest_set_of_nothing_is_empty(stub):
    response = await stub.IndependentSet(Independent(graph=PATH, exclude=range(4)))
    assert (response.outcome, list(response.vertices)) == (common_pb2.SOLVED, [])
    assert (response.proved_optimal, response.upper_bound) == (True, 0)


async def test_a_clique_is_a_set_of_the_complement(stub, engine):
    engine.shows = (0, 1, 1, 0, 0)
    response = await stub.Clique(Clique(graph=RING, target_size=2, include=[1]))
    assert (response.outcome, list(response.vertices)) == (common_pb2.SOLVED, [1, 2])
    largest = await stub.Clique(Clique(graph=COMPLETE, exclude=[2]))
    assert list(largest.vertices) == [0, 1, 3]
    assert (largest.proved_optimal, largest.upper_bound) == (True, 3)


async def test_a_clique_cannot_include_vertices_without_an_edge(stub):
    response = await stub.Clique(Clique(graph=RING, include=[0, 1, 2]))
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert pairs(response.conflicts) == [(0, 2)]
    assert not response.vertices


async def test_a_cover_is_what_a_set_leaves_out(stub, engine):
    engine.shows = (1, 0, 1, 0, 0)
    request = Cover(graph=RING, target_size=3, include=[1], exclude=[0])
    response = await stub.VertexCover(request)
    assert (response.outcome, list(response.vertices)) == (common_pb2.SOLVED, [1, 3, 4])
    assert not response.HasField("lower_bound")
    assert [engine.requests[0].clamps[v] for v in (0, 1)] == [1, 0]


async def test_the_smallest_cover_is_proved(stub):
    response = await stub.VertexCover(Cover(graph=PATH))
    assert (response.outcome, len(response.vertices)) == (common_pb2.SOLVED, 2)
    assert (response.proved_optimal, response.lower_bound) == (True, 2)
    unproved = await stub.VertexCover(Cover(graph=RING, effort=DRAFTS_ONLY))
    assert (unproved.proved_optimal, unproved.lower_bound, len(unproved.vertices)) == (False, 2, 3)


async def test_a_cover_may_be_everything_and_nothing_may_need_one(stub, engine):
    everything = await stub.VertexCover(Cover(graph=RING, include=range(5)))
    assert (everything.outcome, len(everything.vertices)) == (common_pb2.SOLVED, 5)
    assert (everything.proved_optimal, everything.lower_bound) == (True, 5)
    engine.shows = (1, 1)
    nothing = await stub.VertexCover(Cover(graph=graph(2), target_size=0))
    assert (nothing.outcome, list(nothing.vertices)) == (common_pb2.SOLVED, [])


async def test_an_edge_between_excluded_vertices_is_covered_by_nothing(stub):
    response = await stub.VertexCover(Cover(graph=RING, exclude=[2, 4, 3]))
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert pairs(response.conflicts) == [(2, 3), (3, 4)]
    assert not response.vertices


async def test_a_path_visits_every_vertex(stub, engine):
    engine.shows = (1, 0, 4, 3, 2)
    response = await stub.HamiltonianPath(Path(graph=RING))
    assert (response.outcome, list(response.vertices)) == (common_pb2.SOLVED, [1, 0, 4, 3, 2])
    assert response.report.model == HAMILTONIAN.name
    cycle = await stub.HamiltonianPath(Path(graph=RING, cycle=True, start=1, end=2))
    assert (cycle.outcome, list(cycle.vertices)) == (common_pb2.SOLVED, [1, 0, 4, 3, 2])


async def test_the_places_of_a_path_that_are_given_reach_the_canvas(stub, engine):
    engine.shows = (2, 1, 0, 4, 3)
    clamps = [PositionClamp(vertex=1, position=1)]
    request = Path(graph=RING, start=0, end=3, clamps=clamps, effort=DRAFTS_ONLY)
    response = await stub.HamiltonianPath(request)
    assert list(engine.requests[0].clamps) == [0, 1, -1, 4, -1]
    assert response.outcome == common_pb2.UNDECIDED
    assert sorted(response.vertices) == list(range(5))


async def test_neighbours_on_the_path_without_an_edge_are_an_outcome(stub, engine):
    clamps = [PositionClamp(vertex=2, position=1)]
    response = await stub.HamiltonianPath(Path(graph=RING, start=0, clamps=clamps))
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert pairs(response.conflicts) == [(0, 2)]
    assert engine.requests == []


async def test_two_vertices_have_no_cycle(stub, engine):
    response = await stub.HamiltonianPath(Path(graph=graph(2, (0, 1)), cycle=True))
    assert response.outcome == common_pb2.UNSATISFIABLE
    assert not response.conflicts


@pytest.mark.parametrize("method", ANSWERED)
async def test_every_field_of_the_effort_reaches_the_solver(stub, engine, method):
    request, _ = ANSWERED[method]
    request = type(request).FromString(request.SerializeToString())
    request.effort.CopyFrom(
        common_pb2.Effort(
            seed=0, max_steps=2, candidates=3, guidance=common_pb2.PROPAGATE, exact_fallback=False
        )
    )
    await finish(getattr(stub, method)(request))
    assert {r.candidate for r in engine.requests} == {0, 1, 2}
    assert all(r.guided and r.sampling.max_steps == 2 for r in engine.requests)
    assert all(r.seed == 0 and not r.wants_belief for r in engine.requests)


@pytest.mark.parametrize("method", STREAMS)
async def test_a_stream_shows_each_step_in_order_and_ends_with_the_response(stub, engine, method):
    request, engine.shows = ANSWERED[method]
    events = await finish(getattr(stub, method)(request))
    assert [event.WhichOneof("event") for event in events] == ["draft"] * 3 + ["response"]
    assert [event.draft.step for event in events[:3]] == [1, 2, 3]
    draft = events[0].draft
    assert list(draft.values) == list(engine.shows)
    assert list(draft.accepted) == [True] * 5
    assert list(draft.entropy) == [0.25] * 5
    assert (draft.candidate, draft.method) == (0, common_pb2.DIFFUSION)
    assert draft.goal == {"Co": 3, "In": 2, "Ha": 0}[method[:2]]
    assert events[-1].response.outcome == common_pb2.SOLVED


@pytest.mark.parametrize(
    ("method", "request_", "goal"),
    [
        ("ColorStream", Color(graph=RING, minimize=True, effort=DRAFTS_ONLY), 2),
        ("IndependentSetStream", Independent(graph=RING, effort=DRAFTS_ONLY), 3),
    ],
)
async def test_a_stream_tells_what_each_canvas_is_to_reach(stub, method, request_, goal):
    *drafts, last = await finish(getattr(stub, method)(request_))
    assert {event.draft.goal for event in drafts} == {goal}
    assert len(drafts) == 6
    assert last.response.outcome == common_pb2.SOLVED
    assert last.response.report.candidates == 2


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
