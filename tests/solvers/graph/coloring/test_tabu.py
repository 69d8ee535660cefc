"""Tabu search repairs colourings, keeps what is fixed, and repeats itself."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from solvers.graph.coloring.tabu import repair, repair_all
from tests.solvers.graph.reference import queen, random_graph


def conflicts_of(adjacency: np.ndarray, colors: np.ndarray) -> int:
    return int((adjacency & (colors[:, None] == colors[None])).sum()) // 2


@given(st.integers(0, 2**63 - 1), st.integers(2, 5), st.integers(1, 300))
def test_what_is_returned_has_as_many_conflicts_as_it_says(
    seed: int, colors: int, moves: int
) -> None:
    graph, rng = random_graph(14, 0.4, seed % 1000), np.random.default_rng(seed)
    draft, fixed = rng.integers(0, colors, 14), rng.random(14) < 0.3
    before = draft.copy()
    found, conflicts = repair(graph.adjacency, colors, fixed, draft, moves=moves, seed=seed)
    assert (draft == before).all()
    assert conflicts == conflicts_of(graph.adjacency, found)
    assert conflicts <= conflicts_of(graph.adjacency, draft)
    assert (found[fixed] == draft[fixed]).all()
    assert ((found >= 0) & (found < colors)).all()


def test_a_hard_colouring_is_found_and_found_again() -> None:
    board = queen(7).adjacency  # 7 colours suffice, and a greedy search needs more
    draft, free = np.zeros(49, np.int64), np.zeros(49, np.bool_)
    first, conflicts = repair(board, 7, free, draft, moves=300_000, seed=5)
    assert conflicts == 0
    again, _ = repair(board, 7, free, draft, moves=300_000, seed=5)
    assert (first == again).all()


def test_an_answer_is_left_as_it_is() -> None:
    graph = random_graph(20, 0.2, 1)
    answer, conflicts = repair(
        graph.adjacency, 6, np.zeros(20, np.bool_), np.zeros(20, np.int64), moves=10_000, seed=0
    )
    assert conflicts == 0
    kept, _ = repair(graph.adjacency, 6, np.zeros(20, np.bool_), answer, moves=10_000, seed=1)
    assert (kept == answer).all()


def test_conflicts_between_fixed_vertices_end_the_search() -> None:
    pair = np.array([[False, True], [True, False]])
    found, conflicts = repair(
        pair, 2, np.ones(2, np.bool_), np.zeros(2, np.int64), moves=10**12, seed=0
    )
    assert (conflicts, found.tolist()) == (1, [0, 0])


def test_a_search_ends_when_it_is_told_to() -> None:
    board, stop = queen(8).adjacency, np.ones(1, np.int8)
    _, conflicts = repair(
        board, 8, np.zeros(64, np.bool_), np.zeros(64, np.int64), moves=10**12, seed=0, stop=stop
    )
    assert conflicts > 0  # a queen's graph of side 8 has no colouring in 8


def test_graphs_without_an_answer_in_reach_get_the_one_known() -> None:
    board = np.stack([queen(5).adjacency, queen(5).adjacency])
    row, column = np.divmod(np.arange(25), 5)
    known = np.tile((2 * row + column) % 5, (2, 1))
    drafts = np.stack([known[0], np.zeros(25, np.int64)])
    found = repair_all(
        board, np.array([5, 5]), np.zeros((2, 25), np.bool_), drafts, known, moves=1, seed=0
    )
    assert (found == known).all()
