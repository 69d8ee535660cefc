"""A puzzle whose clues are taken away and put back, and what those in sight leave open."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from solvers.sudoku.compiled.masks import digit_of


class Puzzle(NamedTuple):
    """A puzzle that loses clues.

    Attributes:
        given: bool [C], the clues.
        open: int32 [C], what the clues in sight leave open; a clue is its digit.
        sights: int8 [C, N + 1], how many clues of each digit a cell sees.
    """

    given: npt.NDArray[np.bool_]
    open: npt.NDArray[np.int32]
    sights: npt.NDArray[np.int8]


@njit(cache=True)
def full(tables, solution):
    """The puzzle with every clue given."""
    cells = len(solution)
    sights = np.zeros((cells, tables.size + 1), np.int8)
    for cell in range(cells):
        digit = digit_of(solution[cell])
        for peer in tables.peers[cell]:
            sights[peer, digit] += 1
    return Puzzle(np.ones(cells, np.bool_), solution.copy(), sights)


@njit(cache=True)
def blank(tables, puzzle, solution, cell):
    """Take the clue of ``cell`` away."""
    bit = solution[cell]
    digit = digit_of(bit)
    puzzle.given[cell] = False
    for peer in tables.peers[cell]:
        puzzle.sights[peer, digit] -= 1
        if puzzle.sights[peer, digit] == 0 and not puzzle.given[peer]:
            puzzle.open[peer] |= bit
    puzzle.open[cell] = 0
    for other in range(1, tables.size + 1):
        if puzzle.sights[cell, other] == 0:
            puzzle.open[cell] |= 1 << (other - 1)


@njit(cache=True)
def restore(tables, puzzle, solution, cell):
    """Undo ``blank``."""
    bit = solution[cell]
    digit = digit_of(bit)
    puzzle.given[cell] = True
    puzzle.open[cell] = bit
    for peer in tables.peers[cell]:
        puzzle.sights[peer, digit] += 1
        if not puzzle.given[peer]:
            puzzle.open[peer] &= ~bit
