"""Grids as the terminal shows them."""

from hypothesis import given

from service.display import grid_text
from solvers.sudoku.problem import SudokuProblem
from solvers.sudoku.text import parse_puzzle
from tests.solvers.sudoku.test_text import problems


@given(problems())
def test_a_drawn_grid_reads_back(problem: SudokuProblem) -> None:
    drawn = grid_text(problem.geometry, problem.cells, problem.cells).plain
    assert parse_puzzle(drawn) == problem


def test_a_grid_is_drawn_with_its_boxes() -> None:
    problem = parse_puzzle("12341.21434321.4")
    assert grid_text(problem.geometry, problem.cells, problem.cells).plain == (
        " 1 2 │ 3 4\n 1 · │ 2 1\n─────┼─────\n 4 3 │ 4 3\n 2 1 │ · 4\n"
    )
