"""Slow, plain Sudoku, written from the rules alone, to hold the solvers against."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

EASY = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
EASY_ANSWER = "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
#: Arto Inkala's puzzle of 2012, rated the hardest of its time.
HARD = "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4.."


def digits(text: str) -> tuple[int, ...]:
    return tuple(int(character) for character in text.replace(".", "0"))


def units(rows: int, cols: int) -> list[set[int]]:
    """Every row, column and box of a grid with boxes of ``rows`` x ``cols``."""
    size = rows * cols
    cells = range(size * size)
    return [
        {cell for cell in cells if key(cell // size, cell % size) == name}
        for key, names in (
            (lambda r, _: r, range(size)),
            (lambda _, c: c, range(size)),
            (
                lambda r, c: (r // rows, c // cols),
                [(i, j) for i in range(size // rows) for j in range(size // cols)],
            ),
        )
        for name in names
    ]


@cache
def peers(rows: int, cols: int) -> list[list[int]]:
    groups = units(rows, cols)
    return [
        sorted(set().union(*(group for group in groups if cell in group)) - {cell})
        for cell in range((rows * cols) ** 2)
    ]


def solutions(
    cells: Sequence[int], rows: int = 3, cols: int = 3, limit: int = 2
) -> list[tuple[int, ...]]:
    """Up to ``limit`` solutions, by guessing in the tightest cell."""
    size, seen = rows * cols, peers(rows, cols)
    grid, found = list(cells), []

    def options(cell: int) -> set[int]:
        return set(range(1, size + 1)) - {grid[peer] for peer in seen[cell]}

    def fill() -> None:
        blanks = [(options(cell), cell) for cell, digit in enumerate(grid) if not digit]
        if not blanks:
            found.append(tuple(grid))
            return
        choices, cell = min(blanks, key=lambda blank: len(blank[0]))
        for digit in choices:
            grid[cell] = digit
            fill()
            if len(found) == limit:
                return
        grid[cell] = 0

    if all(not digit or digit in options(cell) for cell, digit in enumerate(grid)):
        fill()
    return found


@cache
def small_grids() -> list[tuple[int, ...]]:
    """All 288 grids of 4 x 4."""
    return solutions([0] * 16, 2, 2, limit=1000)
