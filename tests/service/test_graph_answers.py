"""What the graph service calls an answer is one, with models that have learned nothing."""

from collections.abc import Iterator

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.engine import Engine
from engine.limits import EngineLimits
from service.client import SyncInkfillClient
from service.client_graph_answers import ChoiceAnswer, ColorAnswer, GraphDraft, PathAnswer
from service.loop_thread import LoopThread
from service.server import Server
from service.settings import load_settings
from solvers.base import Guidance, Method, Outcome
from tests.service.graphs import random_checkpoints

PETERSEN = nx.petersen_graph()


@pytest.fixture(scope="module")
def client() -> Iterator[SyncInkfillClient]:
    async def started(engine: Engine) -> Server:
        return await Server(engine, load_settings(port=0)).__aenter__()

    loop = LoopThread()
    with Engine(random_checkpoints(), EngineLimits(max_batch=8, max_queue=64)) as engine:
        server = loop.call(started(engine))
        with SyncInkfillClient(server.address, timeout=60) as opened:
            yield opened
        loop.call(server.stop(0))
        loop.stop()


@st.composite
def graphs(draw: st.DrawFn) -> nx.Graph:
    n = draw(st.integers(1, 9))
    pairs = [(a, b) for b in range(n) for a in range(b)]
    graph = nx.empty_graph(n)
    if pairs:
        graph.add_edges_from(draw(st.lists(st.sampled_from(pairs), unique=True)))
    return graph


def some_of(graph: nx.Graph) -> st.SearchStrategy[list[int]]:
    return st.lists(st.sampled_from(sorted(graph)), unique=True, max_size=2)


def independence(graph: nx.Graph, include: list[int], exclude: list[int]) -> int | None:
    """How many vertices the largest independent set has; None if there is none."""
    if graph.subgraph(include).edges:
        return None
    near = {v for u in include for v in graph[u]}
    rest = graph.subgraph(set(graph) - near - set(include) - set(exclude))
    if not rest:
        return len(include)
    clique, _ = nx.max_weight_clique(nx.complement(rest), weight=None)
    return len(include) + len(clique)


def is_independent(graph: nx.Graph, vertices: object) -> bool:
    return not graph.subgraph(vertices).edges


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_colouring_that_is_called_solved_is_one(client, data) -> None:
    graph = data.draw(graphs())
    colors = data.draw(st.integers(1, 4))
    vertices, shades = st.sampled_from(sorted(graph)), st.integers(0, colors - 1)
    clamps = data.draw(st.dictionaries(vertices, shades, max_size=2))
    minimize = data.draw(st.booleans())
    answer = client.color(
        len(graph), graph.edges, colors=colors, clamps=clamps, minimize=minimize, seed=1
    )
    assert answer.outcome is not Outcome.UNDECIDED
    if answer.outcome is Outcome.UNSATISFIABLE:
        assert answer.vertex_colors == ()
        assert not _can_be_coloured(graph, colors, clamps)
        return
    classes = [[v for v in graph if answer.vertex_colors[v] == c] for c in range(colors)]
    assert sum(map(len, classes)) == len(graph)
    assert all(is_independent(graph, members) for members in classes)
    assert all(answer.vertex_colors[v] == c for v, c in clamps.items())
    assert answer.colors_used == sum(map(bool, classes))
    if minimize:
        assert answer.proved_optimal
        assert not _can_be_coloured(graph, answer.lower_bound - 1, clamps)
        assert _can_be_coloured(graph, answer.lower_bound, clamps)


def _can_be_coloured(graph: nx.Graph, colors: int, clamps: dict[int, int]) -> bool:
    """Whether the vertices can be split into so many classes: a set in a product with a clique."""
    if any(color >= colors for color in clamps.values()):
        return False
    if not colors:
        return not graph
    product = nx.cartesian_product(graph, nx.complete_graph(colors))
    number = {node: i for i, node in enumerate(product)}
    include = [number[item] for item in clamps.items()]
    return independence(nx.relabel_nodes(product, number), include, []) == len(graph)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_set_a_clique_or_a_cover_that_is_called_solved_is_one_and_the_best(client, data) -> None:
    graph = data.draw(graphs())
    include = data.draw(some_of(graph))
    exclude = [v for v in data.draw(some_of(graph)) if v not in include]
    n, options = len(graph), {"include": include, "exclude": exclude, "seed": 1}
    _check_choice(client.independent_set(n, graph.edges, **options), graph, include, exclude)
    other = nx.complement(graph)
    _check_choice(client.clique(n, graph.edges, **options), other, include, exclude)
    cover = client.vertex_cover(n, graph.edges, **options)
    _check_choice(_left_out(cover, n), graph, exclude, include)


def _check_choice(
    answer: ChoiceAnswer, graph: nx.Graph, include: list[int], exclude: list[int]
) -> None:
    most = independence(graph, include, exclude)
    if most is None:
        assert answer.outcome is Outcome.UNSATISFIABLE
        assert set(answer.conflicts) == {tuple(sorted(e)) for e in graph.subgraph(include).edges}
        return
    assert (answer.outcome, answer.proved_optimal) == (Outcome.SOLVED, True)
    assert len(answer.vertices) == answer.bound == most
    assert is_independent(graph, answer.vertices)
    assert set(include) <= set(answer.vertices)
    assert not set(exclude) & set(answer.vertices)


def _left_out(cover: ChoiceAnswer, n: int) -> ChoiceAnswer:
    return ChoiceAnswer(
        outcome=cover.outcome,
        vertices=tuple(v for v in range(n) if v not in cover.vertices),
        conflicts=cover.conflicts,
        proved_optimal=cover.proved_optimal,
        bound=None if cover.bound is None else n - cover.bound,
        report=cover.report,
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_path_that_is_called_solved_is_one(client, data) -> None:
    graph = data.draw(graphs())
    n, cycle = len(graph), data.draw(st.booleans())
    start = data.draw(st.none() | st.integers(0, n - 1))
    answer = client.hamiltonian_path(n, graph.edges, cycle=cycle, start=start, seed=1)
    assert answer.outcome is not Outcome.UNDECIDED
    if answer.outcome is Outcome.UNSATISFIABLE:
        assert answer.vertices == ()
        assert not _has_path(graph, cycle, start)
        return
    path = list(answer.vertices)
    assert sorted(path) == sorted(graph)
    assert nx.is_path(graph, path + path[:1] * cycle)
    assert start in (None, path[0])


def _has_path(graph: nx.Graph, cycle: bool, start: int | None) -> bool:
    """By trying every way on."""

    def goes_on(path: list[int]) -> bool:
        if len(path) == len(graph):
            return not cycle or (len(graph) > 2 and graph.has_edge(path[-1], path[0]))
        return any(goes_on([*path, v]) for v in graph[path[-1]] if v not in path)

    return any(goes_on([v]) for v in graph if start in (None, v))


def test_the_same_seed_gives_the_same_answer(client) -> None:
    given = {"seed": 5, "exact_fallback": False, "colors": 4}
    first, second = (client.color(10, PETERSEN.edges, **given) for _ in range(2))
    assert first.vertex_colors == second.vertex_colors
    assert first.report.steps == second.report.steps


def test_guidance_colours_without_a_search(client) -> None:
    answer = client.color(
        10, PETERSEN.edges, colors=3, guidance=Guidance.PROPAGATE, candidates=8, seed=1
    )
    assert (answer.outcome, answer.report.method) == (Outcome.SOLVED, Method.GUIDED_DIFFUSION)


def test_colours_that_do_not_suffice_are_proved_not_to(client) -> None:
    answer = client.color(10, PETERSEN.edges, minimize=True, seed=1)
    assert (answer.outcome, answer.proved_optimal) == (Outcome.SOLVED, True)
    assert (answer.colors_used, answer.lower_bound) == (3, 3)
    none = client.color(10, PETERSEN.edges, colors=2, seed=1)
    assert (none.outcome, none.vertex_colors, none.conflicts) == (Outcome.UNSATISFIABLE, (), ())


def test_a_bound_that_a_search_proved_replaces_the_greedy_one(client) -> None:
    ring = nx.cycle_graph(5)  # cliques of two promise two colours, and three vertices apart
    few = client.color(5, ring.edges, colors=2, minimize=True, seed=1)
    assert (few.outcome, few.lower_bound) == (Outcome.UNSATISFIABLE, 3)
    apart = client.independent_set(5, ring.edges, seed=1)
    assert (apart.proved_optimal, len(apart.vertices), apart.bound) == (True, 2, 2)
    cover = client.vertex_cover(5, ring.edges, seed=1)
    assert (cover.proved_optimal, len(cover.vertices), cover.bound) == (True, 3, 3)


@pytest.mark.parametrize("seed", [0, 2**62, 2**63 - 1])
def test_no_seed_is_too_large_for_a_search(client, seed) -> None:
    given = {"guidance": Guidance.NONE, "max_steps": 1, "seed": seed}
    colored = client.color(10, PETERSEN.edges, colors=2, **given)
    assert colored.outcome is Outcome.UNSATISFIABLE
    chosen = client.independent_set(10, PETERSEN.edges, target_size=5, **given)
    assert chosen.outcome is Outcome.UNSATISFIABLE
    cycle = client.hamiltonian_path(10, PETERSEN.edges, cycle=True, **given)
    assert cycle.outcome is Outcome.UNSATISFIABLE


def test_a_graph_without_a_cycle_through_all_is_proved_so(client) -> None:
    answer = client.hamiltonian_path(10, PETERSEN.edges, cycle=True, seed=1)
    assert (answer.outcome, answer.vertices) == (Outcome.UNSATISFIABLE, ())
    path = client.hamiltonian_path(10, PETERSEN.edges, seed=1)
    assert nx.is_path(PETERSEN, list(path.vertices))


@pytest.mark.parametrize(
    ("stream", "answer", "values", "options"),
    [
        ("stream_color", ColorAnswer, 3, {"colors": 3}),
        ("stream_independent_set", ChoiceAnswer, 2, {"target_size": 4}),
        ("stream_hamiltonian_path", PathAnswer, 10, {}),
    ],
)
def test_drafts_of_real_canvases_have_a_value_for_each_vertex(
    client, stream, answer, values, options
) -> None:
    *drafts, last = getattr(client, stream)(10, PETERSEN.edges, seed=1, **options)
    assert drafts
    assert isinstance(last, answer)
    for draft in drafts:
        assert isinstance(draft, GraphDraft)
        assert len(draft.values) == len(draft.accepted) == len(draft.entropy) == 10
        assert max(draft.values) < values


def test_what_no_canvas_can_hold_is_searched_for(client) -> None:
    ring = nx.cycle_graph(70)  # places beyond the model's 32
    answer = client.hamiltonian_path(70, ring.edges, cycle=True, seed=1)
    assert (answer.outcome, answer.report.method) == (Outcome.SOLVED, Method.LOCAL_SEARCH)
    assert answer.report.candidates == 0
    many = nx.complete_graph(40)  # colours beyond its 32
    colored = client.color(40, many.edges, colors=40, seed=1)
    assert (colored.outcome, colored.colors_used) == (Outcome.SOLVED, 40)
