import threading
import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.base import Completion, Outcome
from solvers.graph.graph import Graph
from solvers.graph.hamiltonian import exact
from solvers.graph.hamiltonian.checker import is_tour
from solvers.graph.hamiltonian.exact import complete
from solvers.graph.hamiltonian.necessary import is_impossible
from solvers.graph.hamiltonian.problem import HamiltonianProblem, Tour
from solvers.stop import Stop
from tests.solvers.graph.reference import from_networkx, hamiltonian_problems, tours

UNSATISFIABLE: Completion[Tour] = Completion(Outcome.UNSATISFIABLE)
UNDECIDED: Completion[Tour] = Completion(Outcome.UNDECIDED)


def planted(vertices: int, more: int, seed: int) -> tuple[Graph, list[int]]:
    """A graph around a cycle, and the cycle."""
    rng = np.random.default_rng(seed)
    cycle = rng.permutation(vertices).tolist()
    edges = {(min(step), max(step)) for step in zip(cycle, cycle[1:] + cycle[:1], strict=True)}
    while len(edges) < vertices + more:
        a, b = rng.choice(vertices, 2, replace=False).tolist()
        edges.add((min(a, b), max(a, b)))
    return Graph.create(vertices, edges), cycle


#: Positions few and far apart: far too hard for the time that a test takes.
HARD_GRAPH, HARD_CYCLE = planted(400, 600, 0)
HARD = HamiltonianProblem.create(
    HARD_GRAPH, clamps=[(HARD_CYCLE[i], i) for i in range(20, 400, 90)]
)


def solved(problem: HamiltonianProblem, seed: int = 0) -> Tour:
    completion = complete(problem, None, seed, 30.0)
    assert completion.outcome is Outcome.SOLVED
    assert completion.answer is not None
    assert is_tour(problem, completion.answer)
    return completion.answer


@given(hamiltonian_problems(), st.integers(0, 2**63 - 1))
def test_small_problems_agree_with_brute_force(problem: HamiltonianProblem, seed: int) -> None:
    completion = complete(problem, None, seed, 30.0)
    if answers := tours(problem):
        assert completion.answer in answers
    else:
        assert completion == UNSATISFIABLE


@given(hamiltonian_problems())
def test_search_alone_agrees_with_brute_force(problem: HamiltonianProblem) -> None:
    if problem.graph.vertices < 3 or not all(problem.graph.neighbours):
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "is_impossible", lambda _: False)
        completion = complete(problem, None, 0, 30.0)
    if answers := tours(problem):
        assert completion.answer in answers
    else:
        assert completion == UNSATISFIABLE


@given(hamiltonian_problems())
def test_what_is_impossible_has_no_answer(problem: HamiltonianProblem) -> None:
    assert not (is_impossible(problem) and tours(problem))


@pytest.mark.parametrize(
    ("graph", "cycle", "clamps"),
    [
        (nx.empty_graph(2), False, []),
        (nx.path_graph(2), True, []),
        (nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3)), False, []),
        (nx.path_graph(9), True, []),
        (nx.star_graph(3), False, []),
        (nx.barbell_graph(4, 1), True, []),
        (nx.path_graph(9), False, [(4, 0)]),
        (nx.barbell_graph(4, 1), False, [(0, 0), (1, 8)]),
        (nx.barbell_graph(4, 1), False, [(4, 0)]),
        (nx.complete_bipartite_graph(5, 7), False, []),
        (nx.complete_bipartite_graph(5, 6), True, []),
        (nx.complete_bipartite_graph(5, 6), False, [(0, 0)]),
        (nx.grid_2d_graph(4, 4), False, [(0, 0), (2, 15)]),
        (nx.grid_2d_graph(4, 4), True, [(0, 0), (2, 5)]),
    ],
)
def test_what_plainly_has_no_answer_is_seen_without_search(
    graph: nx.Graph, cycle: bool, clamps: list[tuple[int, int]]
) -> None:
    problem = HamiltonianProblem.create(from_networkx(graph), cycle=cycle, clamps=clamps)
    assert is_impossible(problem)
    assert complete(problem, None, 0, 0.0) == UNSATISFIABLE


def test_a_graph_that_only_search_rules_out_is_proved_so() -> None:
    petersen = from_networkx(nx.petersen_graph())
    tutte = from_networkx(nx.tutte_graph())
    for graph in (petersen, tutte):
        problem = HamiltonianProblem.create(graph, cycle=True)
        assert not is_impossible(problem)
        assert complete(problem, None, 0, 30.0) == UNSATISFIABLE
    solved(HamiltonianProblem.create(petersen))


@pytest.mark.parametrize(("vertices", "more"), [(3, 0), (32, 16), (64, 64), (256, 256)])
@pytest.mark.parametrize("cycle", [True, False])
def test_a_planted_cycle_is_found(vertices: int, more: int, cycle: bool) -> None:
    graph, tour = planted(vertices, more, 1)
    solved(HamiltonianProblem.create(graph, cycle=cycle))
    solved(HamiltonianProblem.create(graph, cycle=cycle, start=tour[0]))
    solved(HamiltonianProblem.create(graph, cycle=cycle, start=tour[0], end=tour[-1]))
    solved(HamiltonianProblem.create(graph, cycle=cycle, end=tour[-1]))


@pytest.mark.parametrize("cycle", [True, False])
@pytest.mark.parametrize("places", [[7], [0, 9], [5, 11, 23], [0, 16, 31], [30, 31]])
def test_positions_are_kept(cycle: bool, places: list[int]) -> None:
    graph, tour = planted(32, 32, 2)
    clamps = [(tour[place], place) for place in places]
    solved(HamiltonianProblem.create(graph, cycle=cycle, clamps=clamps))


def test_positions_that_are_too_near_are_proved_unsatisfiable() -> None:
    ladder = from_networkx(nx.circular_ladder_graph(8))
    apart = HamiltonianProblem.create(ladder, cycle=True, clamps=[(0, 3), (4, 6)])
    assert complete(apart, None, 0, 30.0) == UNSATISFIABLE
    solved(HamiltonianProblem.create(ladder, cycle=True, clamps=[(0, 3), (4, 7)]))


def test_a_vertex_without_a_position_is_proved_unsatisfiable() -> None:
    """Vertex 4 is two steps from vertex 1, and from vertex 3, but no place is."""
    graph = Graph.create(5, [(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3)])
    problem = HamiltonianProblem.create(graph, clamps=[(1, 0), (3, 3)])
    assert not is_impossible(problem)
    assert complete(problem, None, 0, 30.0) == UNSATISFIABLE


def test_a_single_vertex_is_a_path() -> None:
    one = Graph.create(1, ())
    assert solved(HamiltonianProblem.create(one, start=0, end=0)) == (0,)
    assert complete(HamiltonianProblem.create(one, cycle=True), None, 0, 30.0) == UNSATISFIABLE


def test_the_same_seed_gives_the_same_answer() -> None:
    problem = HamiltonianProblem.create(planted(64, 64, 0)[0])
    assert solved(problem, 9) == solved(problem, 9)


def test_a_belief_is_followed_where_there_are_many_answers() -> None:
    order = np.random.default_rng(0).permutation(40)
    belief = np.zeros((40, 50), np.float32)
    belief[order, np.arange(40)] = 1.0
    for cycle in (True, False):
        problem = HamiltonianProblem.create(
            from_networkx(nx.complete_graph(40)), cycle=cycle, start=int(order[0])
        )
        assert complete(problem, belief, 0, 30.0).answer == tuple(order.tolist())


@pytest.mark.parametrize("kind", ["random", "zero", "nan"])
def test_no_belief_misleads(kind: str) -> None:
    belief = {
        "random": np.random.default_rng(0).random((64, 70)),
        "zero": np.zeros((64, 70)),
        "nan": np.full((64, 70), np.nan),
    }[kind].astype(np.float32)
    problem = HamiltonianProblem.create(planted(64, 64, 0)[0], cycle=True)
    answer = complete(problem, belief, 0, 30.0).answer
    assert answer is not None
    assert is_tour(problem, answer)


@pytest.mark.parametrize("limit_s", [0.0, -1.0, 0.05])
def test_running_out_of_time_is_undecided(limit_s: float) -> None:
    assert complete(HARD, None, 0, limit_s) == UNDECIDED


def test_a_search_is_stopped_from_another_thread() -> None:
    stop = Stop()
    timer = threading.Timer(0.3, stop.ask)
    timer.start()
    started = time.monotonic()
    assert complete(HARD, None, 0, 60.0, stop) == UNDECIDED
    assert time.monotonic() - started < 10.0
    timer.join()
