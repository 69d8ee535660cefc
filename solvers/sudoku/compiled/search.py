"""Search for the solutions of a grid, guessing in a cell with fewest candidates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from solvers.splitmix import shuffled
from solvers.sudoku.compiled.masks import popcount, random_bit
from solvers.sudoku.compiled.propagation import drop, keep

#: Guesses after which drawing a full grid starts over.
_DRAW_GUESSES = 500


class Workspace(NamedTuple):
    """Scratch of one thread.

    Attributes:
        levels: int32 [C + 1, C], candidate masks at each depth of the search.
        cells: int64 [C + 1], the cell guessed at each depth.
        bits: int64 [C + 1], the candidate guessed there.
        queue: int64 [C], cells that became single and whose peers have not heard of it.
        state: uint64 [1], of the random numbers.
    """

    levels: npt.NDArray[np.int32]
    cells: npt.NDArray[np.int64]
    bits: npt.NDArray[np.int64]
    queue: npt.NDArray[np.int64]
    state: npt.NDArray[np.uint64]


@njit(cache=True)
def workspace(tables, seed):
    """Scratch for a grid, its random numbers seeded."""
    cells = tables.size * tables.size
    return Workspace(
        np.empty((cells + 1, cells), np.int32),
        np.empty(cells + 1, np.int64),
        np.empty(cells + 1, np.int64),
        np.empty(cells, np.int64),
        np.full(1, seed, np.uint64),
    )


@njit(cache=True)
def _tightest(masks):
    """An undecided cell with fewest candidates, or -1 if all are decided."""
    best, fewest = -1, 64
    for cell in range(len(masks)):
        mask = masks[cell]
        rest = mask & (mask - 1)
        if rest:
            if rest & (rest - 1) == 0:
                return cell
            count = popcount(mask)
            if count < fewest:
                best, fewest = cell, count
    return best


@njit(cache=True)
def search(tables, work, limit, guesses):
    """Count solutions of ``work.levels[0]``, which is propagated, up to ``limit``.

    Returns the count, or -1 when ``guesses`` ran out, and the depth whose level is the last
    solution found.
    """
    depth, found = 0, 0
    while True:
        masks = work.levels[depth]
        cell = _tightest(masks)
        if cell < 0:
            found += 1
            if found == limit:
                return found, depth
            alive = False
        elif guesses == 0:
            return -1, depth
        else:
            guesses -= 1
            bit = random_bit(masks[cell], work.state)
            work.cells[depth], work.bits[depth] = cell, bit
            depth += 1
            work.levels[depth] = masks
            alive = keep(tables, work.levels[depth], cell, bit, work.queue)
        while not alive:
            depth -= 1
            if depth < 0:
                return found, 0
            alive = drop(
                tables, work.levels[depth], work.cells[depth], work.bits[depth], work.queue
            )


@njit(cache=True)
def draw_solution(tables, work):
    """A full grid as masks: a random first row, then search, over again when it wanders."""
    masks = work.levels[0]
    while True:
        masks[:] = (1 << tables.size) - 1
        order = shuffled(tables.size, work.state)
        for cell in range(tables.size):
            keep(tables, masks, cell, 1 << order[cell], work.queue)
        found, depth = search(tables, work, 1, _DRAW_GUESSES)
        if found == 1:
            return work.levels[depth].copy()


@njit(cache=True, nogil=True)
def count(tables, puzzle, limit):
    """Solutions of ``puzzle`` (int8 [C], 0 blank), counted up to ``limit``."""
    work = workspace(tables, np.uint64(0))
    masks = work.levels[0]
    masks[:] = (1 << tables.size) - 1
    for cell in range(len(puzzle)):
        if puzzle[cell]:
            bit = 1 << (puzzle[cell] - 1)
            if not masks[cell] & bit or not keep(tables, masks, cell, bit, work.queue):
                return 0
    found, _ = search(tables, work, limit, -1)
    return found
