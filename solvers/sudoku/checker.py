"""Whether a grid answers a puzzle: the word that makes an answer SOLVED.

Plain Python that shares nothing with the model, the engine or the geometry's tables: it derives
rows, columns and boxes again, so that a mistake there cannot hide here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from solvers.sudoku.problem import SudokuProblem


def is_solution(problem: SudokuProblem, grid: Sequence[object]) -> bool:
    """Whether ``grid``, row by row, keeps every clue and has every digit once in every unit.

    Anything else is no solution, whatever it holds: wrong lengths, digits out of range, values
    that are not plain integers.
    """
    rows, cols = problem.geometry.box_rows, problem.geometry.box_cols
    size = rows * cols
    if len(grid) != size * size or len(problem.cells) != size * size:
        return False
    if any(type(digit) is not int for digit in grid):
        return False
    if any(clue not in (0, digit) for clue, digit in zip(problem.cells, grid, strict=True)):
        return False
    digits = list(range(1, size + 1))
    return all(
        sorted(grid[row * size + column] for row, column in unit) == digits  # type: ignore[type-var]
        for unit in _units(rows, cols)
    )


def _units(box_rows: int, box_cols: int) -> Iterator[list[tuple[int, int]]]:
    """The (row, column) pairs of every row, column and box."""
    lines = range(box_rows * box_cols)
    for line in lines:
        yield [(line, other) for other in lines]
        yield [(other, line) for other in lines]
    for top in range(0, len(lines), box_rows):
        for left in range(0, len(lines), box_cols):
            yield [(top + i, left + j) for i in range(box_rows) for j in range(box_cols)]
