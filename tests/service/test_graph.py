"""Answers of the graph service over real gRPC, with an engine that is told what to show."""

import grpc
import networkx as nx
import pytest
from inkfill.v1 import common_pb2, graph_pb2_grpc

from tests.service.fakes import COLORING, GRAPHS, HAMILTONIAN, INDEPENDENT_SET, TEXT, FakeEngine
from tests.service.graph_calls import (
    ANSWERED,
    COMPLETE,
    DRAFTS_ONLY,
    PATH,
    RING,
    Clique,
    Color,
    ColorClamp,
    Cover,
    Independent,
    Path,
    PositionClamp,
    graph,
)
from tests.service.graphs import message, pairs
from tests.service.wire import finish

STREAMS = [name for name in ANSWERED if name.endswith("Stream")]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(infos=(*GRAPHS, TEXT))


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> graph_pb2_grpc.GraphStub:
    return graph_pb2_grpc.GraphStub(channel)


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
