"""Grids as the terminal shows them."""

from hypothesis import given

from service.display import beside, grid_text
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


def two_grids(width: int) -> list[str]:
    problem = parse_puzzle("1.....3..4.....2")
    grid = grid_text(problem.geometry, problem.cells, problem.cells)
    return beside(("puzzle", grid), ("answer", grid), width=width).plain.splitlines()


def test_two_grids_stand_on_the_same_lines_where_they_fit() -> None:
    lines = two_grids(26)
    assert lines[0] == " puzzle         answer"
    assert lines[1] == " 1 · │ · ·      1 · │ · ·"
    assert len(lines) == 6
    assert all(line == line.rstrip() for line in lines)


def test_two_grids_stand_below_each_other_where_they_do_not_fit() -> None:
    lines = two_grids(25)
    assert [lines[0], lines[6]] == [" puzzle", " answer"]
    assert max(map(len, lines)) == 11
