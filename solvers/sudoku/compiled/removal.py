"""Puzzles from full grids: clues are taken away while the solution stays the only one."""

from __future__ import annotations

from numba import njit

from solvers.splitmix import shuffled
from solvers.sudoku.compiled.masks import digit_of
from solvers.sudoku.compiled.propagation import propagate
from solvers.sudoku.compiled.puzzle import blank, full, restore
from solvers.sudoku.compiled.search import draw_solution, search, workspace

#: Guesses after which a proof of uniqueness is given up, and the clue kept: what 9 x 9 and 12 x 12
#: hardly ever need. At 16 x 16 more guesses take away a last clue or two at ten times the cost.
_PROOF_GUESSES = 300


@njit(cache=True)
def _is_needed(tables, work, puzzle, solution, cell):
    """Whether blanking ``cell`` may have opened a solution that differs from ``solution`` there.

    Before, the solution was the only one, so it is enough to search with its digit barred.
    """
    masks = work.levels[0]
    masks[:] = puzzle.open
    masks[cell] &= ~solution[cell]
    if masks[cell] == 0:
        return False
    # Most early removals end here: the digit has no other place in a unit of the cell.
    if not propagate(tables, masks, work.queue, 0, tables.units_of[cell]):
        return False
    queued = 0
    for other in range(len(masks)):
        mask = masks[other]
        if mask & (mask - 1) == 0 and not puzzle.given[other]:
            work.queue[queued] = other
            queued += 1
    if not propagate(tables, masks, work.queue, queued, (1 << 3 * tables.size) - 1):
        return False
    found, _ = search(tables, work, 1, _PROOF_GUESSES)
    return found != 0


@njit(cache=True)
def _remove_clues(tables, work, solution, target):
    """Blank cells in random order while the solution stays unique and clues exceed ``target``."""
    puzzle = full(tables, solution)
    clues = len(solution)
    for cell in shuffled(len(solution), work.state):
        if clues <= target:
            break
        blank(tables, puzzle, solution, cell)
        if _is_needed(tables, work, puzzle, solution, cell):
            restore(tables, puzzle, solution, cell)
        else:
            clues -= 1
    return puzzle.given


@njit(cache=True, nogil=True)
def fill(tables, seeds, targets, puzzles, solutions):
    """Write a puzzle and its solution into each row of ``puzzles`` and ``solutions``.

    Args:
        tables: the grid.
        seeds: uint64 [B].
        targets: int64 [B], clues at which to stop taking more away.
        puzzles: int8 [B, C], of zeros; 0 is a blank.
        solutions: int8 [B, C].
    """
    for i in range(len(seeds)):
        work = workspace(tables, seeds[i])
        solution = draw_solution(tables, work)
        given = _remove_clues(tables, work, solution, targets[i])
        for cell in range(len(solution)):
            solutions[i, cell] = digit_of(solution[cell])
            if given[cell]:
                puzzles[i, cell] = solutions[i, cell]
