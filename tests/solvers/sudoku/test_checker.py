from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.sudoku.checker import is_solution
from solvers.sudoku.problem import SudokuProblem
from tests.solvers.sudoku.reference import EASY, EASY_ANSWER, digits, small_grids

PROBLEM = SudokuProblem.create(digits(EASY))
ANSWER = digits(EASY_ANSWER)
EMPTY = SudokuProblem.create([0] * 16, 2, 2)


def test_the_answer_is_a_solution() -> None:
    assert is_solution(PROBLEM, ANSWER)


def test_there_are_288_grids_of_4_x_4_and_all_pass() -> None:
    assert len(small_grids()) == 288
    assert all(is_solution(EMPTY, grid) for grid in small_grids())


@given(st.data())
def test_a_changed_cell_is_never_a_solution(data: st.DataObject) -> None:
    cell = data.draw(st.integers(0, 80))
    digit = data.draw(st.integers(0, 10).filter(lambda d: d != ANSWER[cell]))
    grid = [*ANSWER[:cell], digit, *ANSWER[cell + 1 :]]
    assert not is_solution(PROBLEM, grid)


@given(st.lists(st.permutations([1, 2, 3, 4]), min_size=4, max_size=4))
def test_small_grids_pass_exactly_if_brute_force_found_them(rows: list[list[int]]) -> None:
    grid = tuple(digit for row in rows for digit in row)
    assert is_solution(EMPTY, grid) == (grid in small_grids())


@given(st.sampled_from(small_grids()), st.permutations(range(16)))
def test_grids_with_each_digit_as_often_but_elsewhere_are_told_apart(
    grid: tuple[int, ...], order: list[int]
) -> None:
    moved = tuple(grid[cell] for cell in order)
    assert is_solution(EMPTY, moved) == (moved in small_grids())


def test_boxes_are_checked_beside_rows_and_columns() -> None:
    latin = [1, 2, 3, 4, 2, 3, 4, 1, 3, 4, 1, 2, 4, 1, 2, 3]
    assert not is_solution(EMPTY, latin)


def test_a_clue_that_changed_is_no_solution() -> None:
    swapped = [{1: 2, 2: 1}.get(digit, digit) for digit in ANSWER]
    assert is_solution(SudokuProblem.create([0] * 81), swapped)
    assert not is_solution(PROBLEM, swapped)


def test_two_by_three_boxes_are_not_three_by_two() -> None:
    wide = [1, 2, 3, 4, 5, 6, 4, 5, 6, 1, 2, 3, 2, 3, 1, 5, 6, 4]
    wide += [5, 6, 4, 2, 3, 1, 3, 1, 2, 6, 4, 5, 6, 4, 5, 3, 1, 2]
    assert is_solution(SudokuProblem.create([0] * 36, 2, 3), wide)
    assert not is_solution(SudokuProblem.create([0] * 36, 3, 2), wide)


@pytest.mark.parametrize(
    "grid",
    [
        (),
        ANSWER[:-1],
        (*ANSWER, 1),
        [None] * 81,
        ["5"] * 81,
        [float(digit) for digit in ANSWER],
        [True if digit == 1 else digit for digit in ANSWER],
        list(np.array(ANSWER)),
        EASY_ANSWER,
    ],
)
def test_what_is_no_list_of_81_plain_integers_is_no_solution(grid: Any) -> None:
    assert not is_solution(PROBLEM, grid)
