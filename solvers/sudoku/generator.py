"""Puzzles of any size with exactly one solution, seeded, compiled with numba.

A full grid is drawn by randomised depth-first search on bit masks; clues are then removed in
random order as long as the solution stays the only one. Nothing here is used to answer a caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from solvers.sudoku.geometry import Geometry

Cells = npt.NDArray[np.int8]
#: Search nodes after which a solution count is given up (and the clue kept).
_NODE_LIMIT = 20_000


@dataclass(frozen=True)
class PuzzleBatch:
    """Puzzles and their solutions, int8 [count, cells] each; 0 is a blank."""

    puzzles: Cells
    solutions: Cells


def generate(
    geometry: Geometry, count: int, seed: int, clues: tuple[int, int] | None = None
) -> PuzzleBatch:
    """Draw ``count`` puzzles, each with exactly one solution.

    Args:
        geometry: the grid.
        count: how many.
        seed: same seed, same puzzles, whatever the number of threads.
        clues: least and most clues, drawn uniformly; a puzzle whose solution would stop being
            the only one keeps more. None removes as many as can be: minimal puzzles.
    """
    low, high = clues or (0, 0)
    if not 0 <= low <= high <= geometry.cells:
        raise ValueError(f"clues: got {low} to {high}, accepted 0 to {geometry.cells}, in order")
    seeds = np.random.SeedSequence(seed).generate_state(count, np.uint64)
    box = geometry.unit_of["box"].astype(np.int8)
    targets = (low + seeds % np.uint64(high - low + 1)).astype(np.int64)
    puzzles = np.zeros((count, geometry.cells), np.int8)
    solutions = np.zeros_like(puzzles)
    _generate(geometry.size, box, seeds, targets, puzzles, solutions)
    return PuzzleBatch(puzzles, solutions)


@njit(cache=True, inline="always")
def _next(state):  # type: ignore[no-untyped-def]  # numba infers its own types
    """SplitMix64: advance ``state[0]`` and return 64 random bits (Steele et al. 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def _popcount(x):  # type: ignore[no-untyped-def]
    count = 0
    while x:
        x &= x - 1
        count += 1
    return count


@njit(cache=True)
def _tightest(grid, n, box, rows, cols, boxes):  # type: ignore[no-untyped-def]
    """The blank with fewest candidates: its cell (-1: none blank) and candidate mask."""
    everything = (1 << n) - 1
    best, best_mask, fewest = -1, 0, n + 1
    for cell in range(n * n):
        if grid[cell] == 0:
            mask = everything & ~(rows[cell // n] | cols[cell % n] | boxes[box[cell]])
            count = _popcount(mask)
            if count < fewest:
                best, best_mask, fewest = cell, mask, count
                if count <= 1:
                    break
    return best, best_mask


@njit(cache=True)
def _search(grid, n, box, banned_cell, banned_digit, limit, nodes, state):  # type: ignore[no-untyped-def]
    """Count solutions up to ``limit`` in place; the last one found stays in ``grid``.

    ``banned_digit`` is not allowed at ``banned_cell``. Candidates are tried in random order.
    Returns the count, or -1 when ``nodes`` ran out.
    """
    cells = n * n
    rows, cols, boxes = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    for cell in range(cells):
        if grid[cell]:
            bit = 1 << (grid[cell] - 1)
            rows[cell // n] |= bit
            cols[cell % n] |= bit
            boxes[box[cell]] |= bit
    stack_cell, stack_mask = np.empty(cells + 1, np.int64), np.empty(cells + 1, np.int64)
    solution = grid.copy()
    found, depth = 0, 0
    cell, mask = _tightest(grid, n, box, rows, cols, boxes)
    if cell < 0:
        return 1
    stack_cell[0] = cell
    stack_mask[0] = mask & ~(1 << banned_digit - 1) if cell == banned_cell else mask
    while depth >= 0:
        cell, mask = stack_cell[depth], stack_mask[depth]
        if grid[cell]:
            bit = ~(1 << (grid[cell] - 1))
            rows[cell // n] &= bit
            cols[cell % n] &= bit
            boxes[box[cell]] &= bit
            grid[cell] = 0
        if mask == 0:
            depth -= 1
            continue
        nodes -= 1
        if nodes < 0:
            return -1
        skip = _next(state) % np.uint64(_popcount(mask))
        rest = mask
        for _ in range(skip):
            rest &= rest - 1
        bit = rest & -rest
        stack_mask[depth] = mask & ~bit
        digit = 1
        while (1 << (digit - 1)) != bit:
            digit += 1
        grid[cell] = digit
        rows[cell // n] |= bit
        cols[cell % n] |= bit
        boxes[box[cell]] |= bit
        next_cell, next_mask = _tightest(grid, n, box, rows, cols, boxes)
        if next_cell < 0:
            found += 1
            solution[:] = grid
            if found >= limit:
                break
            continue
        depth += 1
        stack_cell[depth] = next_cell
        if next_cell == banned_cell:
            next_mask &= ~(1 << banned_digit - 1)
        stack_mask[depth] = next_mask
    grid[:] = solution
    return found


@njit(cache=True)
def _shuffled(count, state):  # type: ignore[no-untyped-def]
    order = np.arange(count)
    for i in range(count - 1, 0, -1):
        j = np.int64(_next(state) % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]
    return order


@njit(cache=True)
def _draw_solution(n, box, state):  # type: ignore[no-untyped-def]
    """A full grid: a random first row, then randomised search, restarted when it wanders."""
    while True:
        grid = np.zeros(n * n, np.int8)
        order = _shuffled(n, state)
        for i in range(n):
            grid[i] = order[i] + 1
        if _search(grid, n, box, -1, 1, 1, _NODE_LIMIT, state) == 1:
            return grid


@njit(cache=True)
def _remove_clues(solution, n, box, target, state):  # type: ignore[no-untyped-def]
    """Blank cells in random order while the solution stays unique and clues exceed ``target``."""
    puzzle = solution.copy()
    clues = n * n
    for cell in _shuffled(n * n, state):
        if clues <= target:
            break
        digit = puzzle[cell]
        puzzle[cell] = 0
        # Unique before, so another solution must differ here: search with the digit banned.
        trial = puzzle.copy()
        if _search(trial, n, box, cell, digit, 1, _NODE_LIMIT, state) == 0:
            clues -= 1
        else:
            puzzle[cell] = digit
    return puzzle


@njit(cache=True, parallel=True)
def _generate(n, box, seeds, targets, puzzles, solutions):  # type: ignore[no-untyped-def]
    for i in prange(len(seeds)):
        state = np.empty(1, np.uint64)
        state[0] = seeds[i]
        solutions[i] = _draw_solution(n, box, state)
        puzzles[i] = _remove_clues(solutions[i], n, box, targets[i], state)


@njit(cache=True)
def count_solutions(puzzle, n, box, limit, nodes):  # type: ignore[no-untyped-def]
    """Solutions of ``puzzle`` (int8 [cells], 0 blank) up to ``limit``; -1 if unfinished."""
    state = np.zeros(1, np.uint64)
    return _search(puzzle.copy(), n, box, -1, 1, limit, nodes, state)
