import threading
import time

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.base import Completion, Outcome
from solvers.graph.coloring import exact
from solvers.graph.coloring.checker import is_coloring
from solvers.graph.coloring.core import Core
from solvers.graph.coloring.exact import complete, open_colors
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.dsatur import greedy_coloring
from solvers.graph.graph import Graph
from solvers.stop import Stop
from tests.solvers.graph.reference import (
    coloring_problems,
    colorings,
    from_networkx,
    queen,
    random_graph,
)

UNSATISFIABLE: Completion[Coloring] = Completion(Outcome.UNSATISFIABLE)
UNDECIDED: Completion[Coloring] = Completion(Outcome.UNDECIDED)
#: Far too hard for the time that a test takes.
HARD = ColoringProblem.create(random_graph(200, 0.5, 0), 28)


def solved(problem: ColoringProblem, seed: int = 0) -> Coloring:
    completion = complete(problem, None, seed, 30.0)
    assert completion.outcome is Outcome.SOLVED
    assert completion.answer is not None
    assert is_coloring(problem, completion.answer)
    return completion.answer


@given(coloring_problems(), st.integers(0, 2**63 - 1))
def test_small_problems_agree_with_brute_force(problem: ColoringProblem, seed: int) -> None:
    completion = complete(problem, None, seed, 30.0)
    if answers := colorings(problem):
        assert completion.answer in answers
    else:
        assert completion == UNSATISFIABLE


@given(st.data())
def test_search_alone_agrees_with_brute_force(data: st.DataObject) -> None:
    """Every vertex has as many neighbours as there are colours, so that none is left out."""
    ring = from_networkx(nx.circular_ladder_graph(4))
    vertices = st.integers(0, ring.vertices - 1)
    clamps = data.draw(st.dictionaries(vertices, st.integers(0, 2), min_size=1, max_size=5))
    problem = ColoringProblem.create(ring, 3, clamps.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "greedy_coloring", lambda *_: None)
        completion = complete(problem, None, 0, 30.0)
    if answers := colorings(problem):
        assert completion.answer in answers
    else:
        assert completion == UNSATISFIABLE


@pytest.mark.parametrize(
    ("graph", "colors"),
    [
        (queen(5), 5),
        (queen(7), 7),
        (from_networkx(nx.mycielski_graph(5)), 5),
        (random_graph(60, 0.3, 0), 7),
    ],
)
def test_a_colouring_with_as_few_colours_as_can_be_is_found(graph: Graph, colors: int) -> None:
    assert greedy_coloring(graph, (), colors) is None or colors == 5
    solved(ColoringProblem.create(graph, colors))
    assert complete(ColoringProblem.create(graph, colors - 1), None, 0, 30.0) == UNSATISFIABLE


def test_a_board_of_36_squares_takes_seven_queens_colours() -> None:
    assert complete(ColoringProblem.create(queen(6), 6), None, 0, 30.0) == UNSATISFIABLE
    solved(ColoringProblem.create(queen(6), 7))


def test_clamps_without_an_answer_are_proved_so() -> None:
    """On a 5 x 5 board a colour goes on by knight's moves, always to the same hand."""
    hand = ColoringProblem.create(queen(5), 5, [(0, 3), (8, 3)])
    assert {8, 11, 19, 22} == {v for v, color in enumerate(solved(hand)) if color == 3} - {0}
    neither = ColoringProblem.create(queen(5), 5, [(0, 3), (9, 3)])
    assert neither.conflicts() == ()
    assert complete(neither, None, 0, 30.0) == UNSATISFIABLE


@pytest.mark.parametrize("colors", [[4, 2, 0], [1, 1, 1], [3, 4, 1]])
def test_any_colours_may_be_clamped(colors: list[int]) -> None:
    free = solved(ColoringProblem.create(queen(5), 5))
    alike = [vertex for vertex in range(25) if free[vertex] == free[0]][:3]
    apart = [0, 1, 2]
    vertices = alike if len(set(colors)) == 1 else apart
    solved(ColoringProblem.create(queen(5), 5, zip(vertices, colors, strict=True)))


def test_clamps_that_clash_are_unsatisfiable() -> None:
    problem = ColoringProblem.create(Graph.create(2, [(0, 1)]), 9, [(0, 3), (1, 3)])
    assert complete(problem, None, 0, 30.0) == UNSATISFIABLE


def test_the_same_seed_gives_the_same_answer() -> None:
    problem = ColoringProblem.create(random_graph(60, 0.3, 0), 7)
    assert solved(problem, 5) == solved(problem, 5)


@pytest.mark.parametrize("limit_s", [0.0, -1.0, 0.001])
def test_running_out_of_time_is_undecided(limit_s: float) -> None:
    assert complete(HARD, None, 0, limit_s) == UNDECIDED


def test_time_runs_out_while_many_rules_are_stated() -> None:
    large = ColoringProblem.create(random_graph(512, 0.5, 0), 60)
    started = time.monotonic()
    assert complete(large, None, 0, 0.1) == UNDECIDED
    assert time.monotonic() - started < 3.0


def test_a_search_is_stopped_from_another_thread() -> None:
    stop = Stop()
    timer = threading.Timer(0.3, stop.ask)
    timer.start()
    started = time.monotonic()
    assert complete(HARD, None, 0, 60.0, stop) == UNDECIDED
    assert time.monotonic() - started < 10.0
    timer.join()


@pytest.mark.parametrize("width", [3, 7, 12])
@pytest.mark.parametrize("kind", ["random", "zero", "nan", "wrong"])
def test_no_belief_misleads(kind: str, width: int) -> None:
    n = 36
    belief = {
        "random": np.random.default_rng(0).random((n, width)),
        "zero": np.zeros((n, width)),
        "nan": np.full((n, width), np.nan),
        "wrong": np.eye(width)[np.full(n, 2)],
    }[kind].astype(np.float32)
    problem = ColoringProblem.create(queen(6), 7)
    answer = complete(problem, belief, 0, 30.0).answer
    assert answer is not None
    assert is_coloring(problem, answer)
    board = ColoringProblem.create(queen(6), 6)
    assert complete(board, belief, 0, 30.0) == UNSATISFIABLE


def test_a_belief_is_followed_whatever_it_calls_the_colours() -> None:
    problem = ColoringProblem.create(queen(7), 7)
    mirrored = np.array(solved(problem)).reshape(7, 7)[::-1].flatten()
    names = np.random.default_rng(0).permutation(7)
    belief = np.eye(7, dtype=np.float32)[names[mirrored]]
    assert complete(problem, belief, 0, 30.0).answer == tuple(names[mirrored].tolist())


def test_open_colours_are_what_no_clamp_in_sight_takes() -> None:
    path = Graph.create(4, [(0, 1), (1, 2), (2, 3)])
    allowed = open_colors(ColoringProblem.create(path, 3, [(0, 2), (2, 1)]))
    assert [np.flatnonzero(row).tolist() for row in allowed] == [[2], [0], [1], [0, 2]]


@given(coloring_problems())
def test_a_core_has_an_answer_exactly_if_the_whole_has_one(problem: ColoringProblem) -> None:
    core = Core.of(problem)
    answers = colorings(core.problem)
    assert bool(answers) == bool(colorings(problem))
    assert all(is_coloring(problem, core.extend(answer)) for answer in answers)


def test_trees_and_what_hangs_on_a_core_are_left_out() -> None:
    lollipop = from_networkx(nx.lollipop_graph(4, 6))
    assert Core.of(ColoringProblem.create(lollipop, 3)).vertices.tolist() == [0, 1, 2, 3]
    assert Core.of(ColoringProblem.create(lollipop, 4)).vertices.tolist() == []
    assert Core.of(ColoringProblem.create(lollipop, 4, [(9, 0)])).vertices.tolist() == [9]
