import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.base import Completion, Outcome
from solvers.sudoku.checker import is_solution
from solvers.sudoku.exact import complete, is_unique, open_digits
from solvers.sudoku.generator import generate
from solvers.sudoku.geometry import geometry
from solvers.sudoku.problem import Grid, SudokuProblem
from tests.solvers.sudoku.reference import EASY, EASY_ANSWER, HARD, digits, small_grids, solutions

EMPTY_16 = SudokuProblem.create([0] * 256, 4, 4)


def solved(problem: SudokuProblem, seed: int = 0) -> Grid:
    completion = complete(problem, None, seed, 30.0)
    assert completion.outcome is Outcome.SOLVED
    assert completion.answer is not None
    assert is_solution(problem, completion.answer)
    return completion.answer


def test_a_puzzle_is_completed() -> None:
    assert solved(SudokuProblem.create(digits(EASY))) == digits(EASY_ANSWER)


def test_a_hard_puzzle_is_completed_and_its_answer_proved_the_only_one() -> None:
    problem = SudokuProblem.create(digits(HARD))
    assert is_unique(problem, solved(problem), 30.0) is True


@pytest.mark.parametrize("box", [(2, 2), (2, 3), (3, 2), (2, 5), (3, 4), (4, 4), (1, 7), (2, 8)])
def test_an_empty_grid_of_any_shape_is_completed_and_not_unique(box: tuple[int, int]) -> None:
    problem = SudokuProblem.create([0] * (box[0] * box[1]) ** 2, *box)
    assert is_unique(problem, solved(problem), 30.0) is False


def test_a_puzzle_without_an_answer_is_proved_so() -> None:
    cells = list(digits(EASY))
    cells[2] = 1  # clashes with no clue, yet 4 belongs there
    problem = SudokuProblem.create(cells)
    assert problem.conflicts() == ()
    assert solutions(cells) == []
    assert complete(problem, None, 0, 30.0) == Completion(Outcome.UNSATISFIABLE)


def test_clues_that_clash_are_proved_unsatisfiable() -> None:
    problem = SudokuProblem.create([1, 1] + [0] * 14, 2, 2)
    assert complete(problem, None, 0, 30.0) == Completion(Outcome.UNSATISFIABLE)


def test_a_cell_without_a_digit_is_proved_unsatisfiable() -> None:
    problem = SudokuProblem.create([0, 1, 2, 3, *[0] * 4, 4, *[0] * 7], 2, 2)
    assert complete(problem, None, 0, 30.0) == Completion(Outcome.UNSATISFIABLE)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 4), min_size=16, max_size=16), st.integers(0, 2**63 - 1))
def test_small_puzzles_agree_with_brute_force(cells: list[int], seed: int) -> None:
    cells = [digit if cell % 3 == 0 else 0 for cell, digit in enumerate(cells)]
    fitting = [
        grid
        for grid in small_grids()
        if all(clue in (0, digit) for clue, digit in zip(cells, grid, strict=True))
    ]
    problem = SudokuProblem.create(cells, 2, 2)
    completion = complete(problem, None, seed, 30.0)
    if not fitting:
        assert completion == Completion(Outcome.UNSATISFIABLE)
    else:
        assert completion.answer in fitting
        assert is_unique(problem, fitting[0], 30.0) is (len(fitting) == 1)


def test_a_full_grid_is_its_own_only_answer() -> None:
    problem = SudokuProblem.create(digits(EASY_ANSWER))
    assert solved(problem) == problem.cells
    assert is_unique(problem, problem.cells, 30.0) is True


def test_uniqueness_of_what_does_not_fit_is_refused() -> None:
    wrong = list(digits(EASY_ANSWER))
    wrong[2] = 5
    with pytest.raises(ValueError, match="digit 5 of cell 2"):
        is_unique(SudokuProblem.create(digits(EASY)), tuple(wrong), 1.0)


def test_the_same_seed_gives_the_same_answer_of_many() -> None:
    assert solved(EMPTY_16, 5) == solved(EMPTY_16, 5)


@pytest.mark.parametrize("limit_s", [0.0, -1.0, 0.001])
def test_running_out_of_time_is_undecided_and_raises_nothing(limit_s: float) -> None:
    started = time.monotonic()
    assert complete(EMPTY_16, None, 0, limit_s) == Completion(Outcome.UNDECIDED)
    assert time.monotonic() - started < 2.0
    problem = SudokuProblem.create(digits(HARD))
    assert is_unique(problem, solved(problem), limit_s) is None


def test_a_belief_is_followed_where_there_are_many_answers() -> None:
    shape = geometry(4, 4)
    solution = generate(shape, 1, 0, (256, 256)).solutions[0]
    belief = np.full((256, 17), 0.01, np.float32)
    belief[np.arange(256), solution] = 0.9
    assert complete(EMPTY_16, belief, 0, 30.0).answer == tuple(solution.tolist())


@pytest.mark.parametrize("kind", ["random", "zero", "nan", "wrong"])
def test_no_belief_misleads(kind: str) -> None:
    rng = np.random.default_rng(0)
    belief = {
        "random": rng.random((81, 17)),
        "zero": np.zeros((81, 17)),
        "nan": np.full((81, 17), np.nan),
        "wrong": np.eye(17)[np.full(81, 9)],
    }[kind].astype(np.float32)
    problem = SudokuProblem.create(digits(HARD))
    assert complete(problem, belief, 0, 30.0).answer == solved(problem)


def test_searching_lets_other_threads_run() -> None:
    ticks, done = [0], threading.Event()

    def tick() -> None:
        while not done.wait(0.005):
            ticks[0] += 1

    thread = threading.Thread(target=tick)
    thread.start()
    for seed in range(3):
        complete(EMPTY_16, None, seed, 30.0)
    done.set()
    thread.join()
    assert ticks[0] > 3


def test_open_digits_are_what_no_clue_in_sight_takes() -> None:
    allowed = open_digits(SudokuProblem.create([1, 2] + [0] * 14, 2, 2))
    assert [np.flatnonzero(row).tolist() for row in allowed[:5]] == [
        [1],
        [2],
        [3, 4],
        [3, 4],
        [3, 4],
    ]
