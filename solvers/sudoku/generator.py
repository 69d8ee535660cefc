"""Makes puzzles of any size with exactly one solution, from a seed.

A full grid is drawn by randomised search; clues are then removed in random order as long as the
solution stays the only one. Nothing here is used to answer a caller.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numba
import numpy as np
import numpy.typing as npt

from solvers.sudoku import compiled
from solvers.sudoku.geometry import Geometry

Cells = npt.NDArray[np.int8]


@dataclass(frozen=True)
class PuzzleBatch:
    """Puzzles and their solutions, int8 [count, cells] each; 0 is a blank."""

    puzzles: Cells
    solutions: Cells


def generate(
    geometry: Geometry,
    count: int,
    seed: int,
    clues: tuple[int, int] | None = None,
    threads: int | None = None,
) -> PuzzleBatch:
    """Draw ``count`` puzzles, each with exactly one solution.

    Args:
        geometry: the grid.
        count: how many.
        seed: same seed, same puzzles, whatever the number of threads.
        clues: least and most clues, drawn uniformly; a puzzle whose solution would stop being
            the only one keeps more. None removes as many as can be: minimal puzzles, but for
            the rare clue whose proof was given up (beyond 12 x 12 not so rare).
        threads: at least 1; None takes ``numba.get_num_threads()``.

    Raises:
        ValueError: ``clues`` is out of order or range.
    """
    low, high = clues or (0, 0)
    if not 0 <= low <= high <= geometry.cells:
        raise ValueError(f"clues: got {low} to {high}, accepted 0 to {geometry.cells}, in order")
    seeds = np.random.SeedSequence(seed).generate_state(count, np.uint64)
    targets = (low + seeds % np.uint64(high - low + 1)).astype(np.int64)
    puzzles = np.zeros((count, geometry.cells), np.int8)
    solutions = np.zeros_like(puzzles)
    tables = _tables(geometry)
    workers = min(threads or numba.get_num_threads(), max(count, 1))
    bounds = np.linspace(0, count, workers + 1).astype(int).tolist()

    def fill(first: int, end: int) -> None:
        rows = slice(first, end)
        compiled.fill(tables, seeds[rows], targets[rows], puzzles[rows], solutions[rows])

    if workers == 1:
        fill(0, count)
    else:
        with ThreadPoolExecutor(workers) as pool:  # the compiled loop holds no GIL
            list(pool.map(fill, bounds[:-1], bounds[1:]))
    return PuzzleBatch(puzzles, solutions)


def count_solutions(geometry: Geometry, puzzle: Cells, limit: int = 2) -> int:
    """Solutions of ``puzzle`` (int8 [cells], 0 blank), counted up to ``limit``.

    Raises:
        ValueError: the number of cells or a digit does not fit ``geometry``.
    """
    if puzzle.shape != (geometry.cells,) or not 0 <= puzzle.min() <= puzzle.max() <= geometry.size:
        raise ValueError(
            f"puzzle: got shape {puzzle.shape}, accepted: {geometry.cells} digits from 0 to "
            f"{geometry.size}"
        )
    return int(compiled.count(_tables(geometry), np.ascontiguousarray(puzzle, np.int8), limit))


@cache
def _tables(geometry: Geometry) -> compiled.Tables:
    """The geometry as compiled code reads it."""
    members = geometry.units
    units_of = np.zeros(geometry.cells, np.int64)
    sees = np.zeros((geometry.cells, geometry.cells), np.bool_)
    for index, unit in enumerate(members):
        units_of[unit] |= 1 << index
        sees[np.ix_(unit, unit)] = True
    np.fill_diagonal(sees, False)
    peers = np.nonzero(sees)[1].reshape(geometry.cells, -1)
    return compiled.Tables(
        geometry.size, members.astype(np.uint16), units_of, peers.astype(np.uint16)
    )
