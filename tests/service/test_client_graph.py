"""The client's graph calls against a real server with a fake engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
import networkx as nx
import numpy as np
import pytest

from service.client import InkfillClient, SyncInkfillClient
from service.client_errors import DeadlineError, InkfillError, InvalidRequestError
from service.client_graph_answers import ChoiceAnswer, ColorAnswer, GraphDraft, PathAnswer
from service.server import Server
from solvers.base import Effort, EffortError, Guidance, Method, Outcome
from solvers.problem_error import ProblemError
from tests.service.fakes import COLORING, GRAPHS, FakeEngine
from tests.service.wire import finish

RING = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
COLORED = (0, 1, 2, 0, 1)
CHOSEN = (1, 0, 1, 0, 0)
PLACES = (1, 0, 4, 3, 2)
STREAMS = {
    "stream_color": (ColorAnswer, {"colors": 3, "candidates": 1}),
    "stream_independent_set": (ChoiceAnswer, {"target_size": 2, "candidates": 1}),
    "stream_hamiltonian_path": (PathAnswer, {"start": 1, "candidates": 1}),
}


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(infos=GRAPHS)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[InkfillClient]:
    async with InkfillClient(server.address) as opened:
        yield opened


@pytest.mark.parametrize(
    "edges", [RING, nx.Graph(RING).edges, iter(RING), {(b, a) for a, b in RING}, np.array(RING)]
)
async def test_edges_may_be_any_pairs(client, engine, edges):
    engine.shows = COLORED
    answer = await client.color(5, edges, colors=3, effort=Effort(seed=3))
    assert (answer.outcome, answer.vertex_colors) == (Outcome.SOLVED, COLORED)
    assert (answer.colors_used, answer.conflicts) == (3, ())
    assert (answer.proved_optimal, answer.lower_bound) == (False, None)
    report = answer.report
    assert (report.model, report.method, report.seed) == (COLORING.name, Method.DIFFUSION, 3)


async def test_the_least_number_of_colours_comes_with_its_proof(client):
    answer = await client.color(3, [(0, 1), (1, 2), (2, 0)], minimize=True)
    assert (answer.colors_used, answer.proved_optimal, answer.lower_bound) == (3, True, 3)
    assert answer.report.method is Method.LOCAL_SEARCH


async def test_clamps_that_clash_come_with_their_edges(client):
    colored = await client.color(5, RING, colors=3, clamps={1: 2, 0: 2})
    assert (colored.outcome, colored.conflicts) == (Outcome.UNSATISFIABLE, ((0, 1),))
    assert (colored.vertex_colors, colored.report.method) == ((), None)
    chosen = await client.independent_set(5, RING, include=[3, 4])
    assert (chosen.outcome, chosen.conflicts) == (Outcome.UNSATISFIABLE, ((3, 4),))
    assert chosen.bound is None
    path = await client.hamiltonian_path(5, RING, start=0, clamps={2: 1})
    assert (path.outcome, path.conflicts) == (Outcome.UNSATISFIABLE, ((0, 2),))


async def test_sets_cliques_and_covers_are_chosen_within_their_conditions(client, engine):
    engine.shows = CHOSEN
    chosen = await client.independent_set(5, RING, include=[0], exclude=[1], target_size=2)
    assert (chosen.outcome, chosen.vertices, chosen.bound) == (Outcome.SOLVED, (0, 2), None)
    cover = await client.vertex_cover(5, RING, include=[1], exclude=[2], target_size=3)
    assert (cover.outcome, cover.vertices) == (Outcome.SOLVED, (1, 3, 4))
    engine.shows = (0, 1, 1, 0, 0)
    clique = await client.clique(5, RING, include=[1], exclude=[0], target_size=2)
    assert (clique.outcome, clique.vertices) == (Outcome.SOLVED, (1, 2))


async def test_the_best_choice_comes_with_its_proof(client):
    path = [(0, 1), (1, 2), (2, 3)]
    for call, size in ((client.independent_set, 2), (client.clique, 2), (client.vertex_cover, 2)):
        answer = await call(4, path)
        assert (len(answer.vertices), answer.proved_optimal, answer.bound) == (size, True, size)
    lone = await client.vertex_cover(4, path[:1])
    assert (len(lone.vertices), lone.bound) == (1, 1)


async def test_a_path_keeps_what_is_given(client, engine):
    engine.shows = PLACES
    answer = await client.hamiltonian_path(5, RING, cycle=True, start=1, end=2, clamps={4: 2})
    assert (answer.outcome, answer.vertices) == (Outcome.SOLVED, (1, 0, 4, 3, 2))
    assert list(engine.requests[0].clamps) == [-1, 0, 4, -1, 2]


@pytest.mark.parametrize("call", ["color", "independent_set", "clique", "vertex_cover"])
async def test_the_fields_of_an_effort_may_be_given_one_by_one(client, engine, call):
    options = {"colors": 3} if call == "color" else {"target_size": 3}
    knobs = {"max_steps": 2, "candidates": 2, "seed": 0, "guidance": Guidance.PROPAGATE}
    effort = Effort(seed=9, exact_fallback=False)
    await getattr(client, call)(5, RING, **options, **knobs, effort=effort)
    assert [r.candidate for r in engine.requests] == [0, 1]
    assert all(r.guided and r.sampling.max_steps == 2 for r in engine.requests)
    assert all(r.seed == 0 and not r.wants_belief for r in engine.requests)


@pytest.mark.parametrize("stream", STREAMS)
async def test_drafts_come_before_the_answer(client, engine, stream):
    kind, options = STREAMS[stream]
    shows = {"stream_color": COLORED, "stream_independent_set": CHOSEN}
    engine.shows = shows.get(stream, PLACES)
    *drafts, last = await finish(getattr(client, stream)(5, RING, **options))
    assert isinstance(last, kind)
    assert last.outcome is Outcome.SOLVED
    assert all(isinstance(draft, GraphDraft) for draft in drafts)
    assert [draft.step for draft in drafts] == [1, 2, 3]
    assert (drafts[0].values, drafts[0].accepted) == (engine.shows, (True,) * 5)
    assert (drafts[0].candidate, drafts[0].method) == (0, Method.DIFFUSION)
    assert drafts[0].goal == {"stream_color": 3, "stream_independent_set": 2}.get(stream, 0)


@pytest.mark.parametrize("stream", STREAMS)
async def test_leaving_a_stream_early_cancels_it(client, engine, eventually, stream):
    engine.step_s, engine.steps = 0.01, 10**6
    options = STREAMS[stream][1] | {"max_steps": 1024}
    async with aclosing(getattr(client, stream)(5, RING, **options)) as events:
        assert (await anext(events)).step == 1
    await eventually(lambda: engine.cancelled == 1)


@pytest.mark.parametrize(
    ("call", "vertices", "edges", "options", "field"),
    [
        ("color", -1, [], {}, "graph.vertices"),
        ("color", 5, [(0, -1)], {}, "graph.edges"),
        ("color", 5, [(0, 1, 2)], {}, "graph.edges"),
        ("color", 5, [3], {}, "graph.edges"),
        ("color", 5, RING, {"colors": -1}, "colors"),
        ("color", 5, RING, {"clamps": {0: "red"}}, "clamps"),
        ("independent_set", 5, RING, {"include": [-1]}, "include"),
        ("clique", 5, RING, {"exclude": [2**32]}, "exclude"),
        ("vertex_cover", 5, RING, {"target_size": 0.5}, "target_size"),
        ("hamiltonian_path", 5, RING, {"start": -1}, "start"),
        ("hamiltonian_path", 5, RING, {"end": "z"}, "end"),
        ("hamiltonian_path", 5, RING, {"clamps": {0: -1}}, "clamps"),
    ],
)
async def test_what_no_message_can_carry_is_refused_before_it_is_sent(
    client, call, vertices, edges, options, field
):
    with pytest.raises(ProblemError, match="whole numbers from 0") as caught:
        await getattr(client, call)(vertices, edges, **options)
    assert caught.value.field == field


async def test_an_effort_out_of_range_is_refused_before_it_is_sent(client, engine):
    for call in (client.color, client.independent_set, client.hamiltonian_path):
        with pytest.raises(EffortError, match="max_steps: got 0"):
            await call(5, RING, max_steps=0)
    assert engine.requests == []


async def test_a_refused_graph_names_its_field(client):
    with pytest.raises(InvalidRequestError) as caught:
        await client.color(5, [*RING, (1, 0)], colors=3)
    assert [v.field for v in caught.value.violations] == ["graph.edges[5]"]


async def test_a_model_that_the_server_lacks_is_told(settings):
    async with (
        Server(FakeEngine(infos=(COLORING,)), settings) as server,
        InkfillClient(server.address) as client,
    ):
        with pytest.raises(InkfillError, match="no model for the task 'hamiltonian'") as caught:
            await client.hamiltonian_path(5, RING)
        assert caught.value.code is grpc.StatusCode.UNIMPLEMENTED


async def test_an_answer_that_does_not_come_in_time_is_a_timeout(server, engine):
    engine.step_s, engine.steps = 0.01, 10**6
    async with InkfillClient(server.address, timeout=0.2) as client:
        with pytest.raises(DeadlineError):
            await client.color(5, RING, colors=3, max_steps=1024)


async def test_the_client_without_asyncio_does_the_same(server):
    path = [(0, 1), (1, 2), (2, 3)]

    def work() -> None:
        with SyncInkfillClient(server.address) as client:
            assert client.color(4, path, minimize=True).colors_used == 2
            assert len(client.independent_set(4, path).vertices) == 2
            assert len(client.clique(4, path).vertices) == 2
            assert len(client.vertex_cover(4, path).vertices) == 2
            assert client.hamiltonian_path(4, path).outcome is Outcome.SOLVED
            assert isinstance(list(client.stream_color(4, path, colors=2))[-1], ColorAnswer)
            assert isinstance(list(client.stream_independent_set(4, path))[-1], ChoiceAnswer)
            assert isinstance(list(client.stream_hamiltonian_path(4, path))[-1], PathAnswer)

    await asyncio.to_thread(work)
