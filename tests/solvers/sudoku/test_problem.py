import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.problem_error import ProblemError
from solvers.sudoku.geometry import Geometry, geometry
from solvers.sudoku.problem import SudokuProblem
from solvers.sudoku.solver import SudokuSolver
from tests.solvers.sudoku.reference import EASY, digits, units


@pytest.mark.parametrize("box", [(2, 2), (2, 3), (3, 2), (3, 3), (2, 5), (3, 4), (4, 4), (1, 5)])
def test_units_are_the_rows_columns_and_boxes(box: tuple[int, int]) -> None:
    shape = geometry(*box)
    assert [set(unit) for unit in shape.units.tolist()] == units(*box)


@pytest.mark.parametrize("box", [(0, 3), (1, 3), (4, 5), (-3, -3), (17, 1)])
def test_a_box_that_makes_no_grid_is_refused(box: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="4 to 16"):
        Geometry(*box)
    with pytest.raises(ProblemError) as caught:
        SudokuProblem.create([0] * 9, *box)
    assert caught.value.field == "box_rows"


def test_the_wrong_number_of_cells_is_refused() -> None:
    with pytest.raises(ProblemError, match="got 80, accepted: 81") as caught:
        SudokuProblem.create([0] * 80)
    assert caught.value.field == "cells"


@pytest.mark.parametrize("digit", [-1, 10])
def test_a_digit_out_of_range_is_refused_with_its_cell(digit: int) -> None:
    with pytest.raises(ProblemError) as caught:
        SudokuProblem.create([0] * 7 + [digit] + [0] * 73)
    assert caught.value.field == "cells[7]"


def test_a_good_puzzle_has_no_conflicts() -> None:
    problem = SudokuProblem.create(digits(EASY))
    assert problem.conflicts() == ()
    assert not SudokuSolver().contradiction(problem)


def test_clues_that_clash_are_all_named() -> None:
    cells = [0] * 81
    cells[0] = cells[8] = cells[72] = 5  # corners: one row, one column
    cells[40] = 5  # sees none of them
    problem = SudokuProblem.create(cells)
    assert problem.conflicts() == (0, 8, 72)
    assert SudokuSolver().contradiction(problem)


@given(st.lists(st.integers(0, 4), min_size=16, max_size=16))
def test_conflicts_are_the_cells_that_see_their_own_digit(cells: list[int]) -> None:
    groups = units(2, 2)
    expected = {
        a
        for group in groups
        for a in group
        if cells[a] and any(cells[a] == cells[b] for b in group - {a})
    }
    assert SudokuProblem.create(cells, 2, 2).conflicts() == tuple(sorted(expected))
