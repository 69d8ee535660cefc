"""The search behind the puzzle generator, compiled by numba.

It keeps a bit mask of candidates for each cell, takes naked and hidden singles until there are
none, and guesses in a cell with fewest candidates. N is the size of the grid, C = N * N its cells;
bit d - 1 of a mask is digit d.

Tables are unsigned and loops count, because numba then leaves out wraparound checks and reference
counts: twice as fast. All compiled code stands in this one file, because numba's cache does not
see changes in another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

#: Guesses after which a proof of uniqueness is given up, and the clue kept: what 9 x 9 and 12 x 12
#: hardly ever need. At 16 x 16 more guesses take away a last clue or two at ten times the cost.
_PROOF_GUESSES = 300
#: Guesses after which drawing a full grid starts over.
_DRAW_GUESSES = 500


class Tables(NamedTuple):
    """A geometry for compiled code.

    Attributes:
        size: N.
        units: uint16 [3 N, N], the cells of each row, column and box.
        units_of: int64 [C], bit u set for the units u of a cell.
        peers: uint16 [C, P], the cells that share a unit with each.
    """

    size: int
    units: npt.NDArray[np.uint16]
    units_of: npt.NDArray[np.int64]
    peers: npt.NDArray[np.uint16]


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
def _workspace(tables, seed):  # numba infers its own types
    cells = tables.size * tables.size
    return Workspace(
        np.empty((cells + 1, cells), np.int32),
        np.empty(cells + 1, np.int64),
        np.empty(cells + 1, np.int64),
        np.empty(cells, np.int64),
        np.full(1, seed, np.uint64),
    )


@njit(cache=True)
def _random(state):
    """SplitMix64: advance ``state[0]`` and return 64 random bits (Steele et al. 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def _below(count, state):
    """A random integer from 0 to ``count`` - 1."""
    return np.int64(_random(state) % np.uint64(count))


@njit(cache=True)
def _popcount(mask):
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@njit(cache=True)
def _random_bit(mask, state):
    for _ in range(_below(_popcount(mask), state)):
        mask &= mask - 1
    return mask & -mask


@njit(cache=True)
def _digit(bit):
    digit = 0
    while bit:
        bit >>= 1
        digit += 1
    return digit


@njit(cache=True)
def _tell_peers(tables, masks, queue, queued):
    """Take the digits of the queued cells from their peers, and of those that become single.

    Returns the units whose masks changed, as bits, or -1 at a contradiction.
    """
    touched = 0
    while queued:
        queued -= 1
        cell = queue[queued]
        bit = masks[cell]
        for k in range(tables.peers.shape[1]):
            peer = tables.peers[cell, k]
            mask = masks[peer]
            if mask & bit:
                mask ^= bit
                if mask == 0:
                    return -1
                masks[peer] = mask
                touched |= tables.units_of[peer]
                if mask & (mask - 1) == 0:
                    queue[queued] = peer
                    queued += 1
    return touched


@njit(cache=True)
def _hidden_singles(tables, masks, unit, queue, queued):
    """Decide the cells of a unit that are the last place of a digit.

    Returns the number queued, or -1 at a contradiction.
    """
    once, more, decided = 0, 0, 0
    for k in range(tables.size):
        mask = masks[tables.units[unit, k]]
        more |= once & mask
        once |= mask
        if mask & (mask - 1) == 0:
            decided |= mask
    if once != (1 << tables.size) - 1:
        return -1
    hidden = once & ~more & ~decided
    if hidden:
        for k in range(tables.size):
            cell = tables.units[unit, k]
            bit = masks[cell] & hidden
            if bit:
                if bit & (bit - 1):
                    return -1
                masks[cell] = bit
                queue[queued] = cell
                queued += 1
    return queued


@njit(cache=True)
def _propagate(tables, masks, queue, queued, dirty):
    """Naked and hidden singles to a fixed point; False at a contradiction.

    ``dirty`` are the units that may hold hidden singles, as bits.
    """
    while True:
        touched = _tell_peers(tables, masks, queue, queued)
        if touched < 0:
            return False
        dirty |= touched
        queued = 0
        unit = 0
        while dirty and queued == 0:
            while not dirty & 1 << unit:
                unit += 1
            dirty ^= 1 << unit
            queued = _hidden_singles(tables, masks, unit, queue, queued)
        if queued < 0:
            return False
        if queued == 0:
            return True


@njit(cache=True)
def _keep(tables, masks, cell, bit, queue):
    """Decide a cell and propagate; False at a contradiction."""
    masks[cell] = bit
    queue[0] = cell
    return _propagate(tables, masks, queue, 1, tables.units_of[cell])


@njit(cache=True)
def _drop(tables, masks, cell, bit, queue):
    """Take a candidate from a cell and propagate; False at a contradiction."""
    mask = masks[cell] & ~bit
    masks[cell] = mask
    if mask == 0:
        return False
    queue[0] = cell
    queued = 1 if mask & (mask - 1) == 0 else 0
    return _propagate(tables, masks, queue, queued, tables.units_of[cell])


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
            count = _popcount(mask)
            if count < fewest:
                best, fewest = cell, count
    return best


@njit(cache=True)
def _search(tables, work, limit, guesses):
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
            bit = _random_bit(masks[cell], work.state)
            work.cells[depth], work.bits[depth] = cell, bit
            depth += 1
            work.levels[depth] = masks
            alive = _keep(tables, work.levels[depth], cell, bit, work.queue)
        while not alive:
            depth -= 1
            if depth < 0:
                return found, 0
            alive = _drop(
                tables, work.levels[depth], work.cells[depth], work.bits[depth], work.queue
            )


@njit(cache=True)
def _shuffled(count, state):
    order = np.arange(count)
    for i in range(count - 1, 0, -1):
        j = _below(i + 1, state)
        order[i], order[j] = order[j], order[i]
    return order


@njit(cache=True)
def _draw_solution(tables, work):
    """A full grid as masks: a random first row, then search, over again when it wanders."""
    masks = work.levels[0]
    while True:
        masks[:] = (1 << tables.size) - 1
        order = _shuffled(tables.size, work.state)
        for cell in range(tables.size):
            _keep(tables, masks, cell, 1 << order[cell], work.queue)
        found, depth = _search(tables, work, 1, _DRAW_GUESSES)
        if found == 1:
            return work.levels[depth].copy()


@njit(cache=True)
def _full(tables, solution):
    """The puzzle with every clue given."""
    cells = len(solution)
    sights = np.zeros((cells, tables.size + 1), np.int8)
    for cell in range(cells):
        digit = _digit(solution[cell])
        for peer in tables.peers[cell]:
            sights[peer, digit] += 1
    return Puzzle(np.ones(cells, np.bool_), solution.copy(), sights)


@njit(cache=True)
def _blank(tables, puzzle, solution, cell):
    """Take the clue of ``cell`` away."""
    bit = solution[cell]
    digit = _digit(bit)
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
def _restore(tables, puzzle, solution, cell):
    """Undo ``_blank``."""
    bit = solution[cell]
    digit = _digit(bit)
    puzzle.given[cell] = True
    puzzle.open[cell] = bit
    for peer in tables.peers[cell]:
        puzzle.sights[peer, digit] += 1
        if not puzzle.given[peer]:
            puzzle.open[peer] &= ~bit


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
    if not _propagate(tables, masks, work.queue, 0, tables.units_of[cell]):
        return False
    queued = 0
    for other in range(len(masks)):
        mask = masks[other]
        if mask & (mask - 1) == 0 and not puzzle.given[other]:
            work.queue[queued] = other
            queued += 1
    if not _propagate(tables, masks, work.queue, queued, (1 << 3 * tables.size) - 1):
        return False
    found, _ = _search(tables, work, 1, _PROOF_GUESSES)
    return found != 0


@njit(cache=True)
def _remove_clues(tables, work, solution, target):
    """Blank cells in random order while the solution stays unique and clues exceed ``target``."""
    puzzle = _full(tables, solution)
    clues = len(solution)
    for cell in _shuffled(len(solution), work.state):
        if clues <= target:
            break
        _blank(tables, puzzle, solution, cell)
        if _is_needed(tables, work, puzzle, solution, cell):
            _restore(tables, puzzle, solution, cell)
        else:
            clues -= 1
    return puzzle.given


@njit(cache=True, nogil=True)
def fill(tables, seeds, targets, puzzles, solutions):
    """Write a puzzle and its solution into each row of ``puzzles`` and ``solutions``."""
    for i in range(len(seeds)):
        work = _workspace(tables, seeds[i])
        solution = _draw_solution(tables, work)
        given = _remove_clues(tables, work, solution, targets[i])
        for cell in range(len(solution)):
            solutions[i, cell] = _digit(solution[cell])
            if given[cell]:
                puzzles[i, cell] = solutions[i, cell]


@njit(cache=True, nogil=True)
def count(tables, puzzle, limit):
    """Solutions of ``puzzle`` (int8 [C], 0 blank), counted up to ``limit``."""
    work = _workspace(tables, np.uint64(0))
    masks = work.levels[0]
    masks[:] = (1 << tables.size) - 1
    for cell in range(len(puzzle)):
        if puzzle[cell]:
            bit = 1 << (puzzle[cell] - 1)
            if not masks[cell] & bit or not _keep(tables, masks, cell, bit, work.queue):
                return 0
    found, _ = _search(tables, work, limit, -1)
    return found
