import numpy as np
import pytest

from solvers.sudoku.checker import is_solution
from solvers.sudoku.exact import is_unique
from solvers.sudoku.generator import count_solutions, generate
from solvers.sudoku.geometry import geometry
from solvers.sudoku.problem import SudokuProblem
from tests.solvers.sudoku.reference import EASY, digits, small_grids, solutions

BOXES = [
    (2, 2),
    (2, 3),
    (3, 2),
    (2, 4),
    (3, 3),
    (2, 5),
    (5, 2),
    (3, 4),
    (3, 5),
    (4, 4),
    (1, 6),
    (7, 1),
]


@pytest.mark.parametrize("box", BOXES)
def test_every_puzzle_of_every_shape_has_one_solution(box: tuple[int, int]) -> None:
    shape = geometry(*box)
    clues = (shape.cells // 2, shape.cells // 2 + 3) if shape.size > 12 else None
    batch = generate(shape, 4, 7, clues, threads=1)
    for puzzle, solution in zip(batch.puzzles.tolist(), batch.solutions.tolist(), strict=True):
        problem = SudokuProblem.create(puzzle, *box)
        assert is_solution(problem, solution)
        assert is_unique(problem, tuple(solution), 30.0)


def test_plain_search_agrees_that_the_solution_is_the_only_one() -> None:
    batch = generate(geometry(3, 3), 10, 1, threads=1)
    for puzzle, solution in zip(batch.puzzles.tolist(), batch.solutions.tolist(), strict=True):
        assert solutions(puzzle) == [tuple(solution)]


def test_minimal_puzzles_need_every_clue() -> None:
    for puzzle in generate(geometry(3, 3), 5, 2, threads=1).puzzles:
        assert 17 <= (puzzle > 0).sum() <= 32
        for cell in np.flatnonzero(puzzle):
            fewer = puzzle.copy()
            fewer[cell] = 0
            assert count_solutions(geometry(3, 3), fewer) == 2


def test_the_seed_decides_and_threads_do_not() -> None:
    shape = geometry(3, 3)
    one = generate(shape, 20, 3, (22, 45), threads=1)
    for threads in (1, 2, 3, 50):
        again = generate(shape, 20, 3, (22, 45), threads=threads)
        assert (again.puzzles == one.puzzles).all()
        assert (again.solutions == one.solutions).all()
    assert (generate(shape, 20, 4, (22, 45)).puzzles != one.puzzles).any()


def test_clues_stay_in_range_and_reach_its_ends() -> None:
    given = (generate(geometry(3, 3), 300, 5, (30, 33), threads=1).puzzles > 0).sum(axis=1)
    assert set(given.tolist()) == {30, 31, 32, 33}


def test_asking_for_all_clues_gives_the_solution() -> None:
    batch = generate(geometry(2, 2), 3, 0, (16, 16))
    assert (batch.puzzles == batch.solutions).all()


def test_no_puzzles_are_no_error() -> None:
    assert generate(geometry(3, 3), 0, 0).puzzles.shape == (0, 81)


@pytest.mark.parametrize("clues", [(-1, 5), (6, 5), (0, 82)])
def test_clue_bounds_out_of_order_or_range_are_refused(clues: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="accepted 0 to 81"):
        generate(geometry(3, 3), 1, 0, clues)


def test_all_grids_of_4_x_4_are_drawn() -> None:
    drawn = generate(geometry(2, 2), 4000, 0, (16, 16)).solutions
    assert {tuple(grid) for grid in drawn.tolist()} == set(small_grids())


def test_solutions_are_counted_up_to_the_limit() -> None:
    empty = np.zeros(16, np.int8)
    assert count_solutions(geometry(2, 2), empty, 1000) == 288
    assert count_solutions(geometry(2, 2), empty, 5) == 5
    assert count_solutions(geometry(3, 3), np.array(digits(EASY), np.int8)) == 1


def test_clues_that_clash_leave_no_solution() -> None:
    clash = np.zeros(81, np.int8)
    clash[[0, 1]] = 1
    assert count_solutions(geometry(3, 3), clash) == 0


@pytest.mark.parametrize("puzzle", [np.zeros(80), np.full(81, 10), np.full(81, -1)])
def test_counting_refuses_what_is_no_puzzle(puzzle: np.ndarray) -> None:
    with pytest.raises(ValueError, match="81 digits from 0 to 9"):
        count_solutions(geometry(3, 3), puzzle.astype(np.int8))
