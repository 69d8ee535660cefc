"""TabuCol: recolour conflicting vertices until there are no conflicts (Hertz and de Werra 1987).

Training labels drafts with it, and a solver searches on from a draft with it. Compiled by numba,
which reads no annotations; n vertices, k colours, B graphs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from solvers.graph.graph import Adjacency
from solvers.splitmix import below

Colors = npt.NDArray[np.int64]
Fixed = npt.NDArray[np.bool_]

#: A vertex may not return to a colour for so many moves, and for ``_TENURE_SHARE`` of the
#: conflicting vertices more (Galinier and Hao 1999).
_TENURE = 10
_TENURE_SHARE = 0.6
#: Moves between looks at the stop flag.
_PATIENCE = 64


def repair(
    adjacency: Adjacency,
    colors: int,
    fixed: Fixed,
    draft: Colors,
    *,
    moves: int,
    seed: int,
    stop: npt.NDArray[np.int8] | None = None,
) -> tuple[Colors, int]:
    """Search from a draft for a colouring without conflicts. Holds no GIL while it searches.

    Args:
        adjacency: bool [n, n].
        colors: k.
        fixed: bool [n], vertices that keep their colour.
        draft: int64 [n], each 0 to k - 1.
        moves: at most.
        seed: same arguments, same result.
        stop: int8 [1]; the search ends soon after another thread sets it to anything but 0.

    Returns:
        The colouring with fewest conflicts that was met, int64 [n], and how many it has.
    """
    state = np.array([seed % 2**64], np.uint64)
    best = draft.copy()
    flag = np.zeros(1, np.int8) if stop is None else stop
    first, others = _neighbour_lists(adjacency)
    conflicts = _search(first, others, colors, fixed, best, moves, state, flag)
    return best, int(conflicts)


def repair_all(
    adjacency: npt.NDArray[np.bool_],
    colors: Colors,
    fixed: npt.NDArray[np.bool_],
    drafts: Colors,
    fallback: Colors,
    *,
    moves: int,
    seed: int,
) -> Colors:
    """``repair`` of many graphs, with another colouring where that finds none.

    Args:
        adjacency: bool [B, n, n].
        colors: int64 [B], k of each.
        fixed: bool [B, n].
        drafts: int64 [B, n].
        fallback: int64 [B, n], colourings without conflicts.
        moves: at most, for each graph.
        seed: of all.

    Returns:
        Colourings without conflicts, int64 [B, n].
    """
    found = drafts.copy()
    _search_all(adjacency, colors, fixed, found, fallback, moves, np.array([seed], np.uint64))
    return found


@njit(cache=True, nogil=True)
def _neighbour_lists(adjacency):
    """``first``, ``others``: the neighbours of v are ``others[first[v] : first[v + 1]]``."""
    n = len(adjacency)
    first, others = np.zeros(n + 1, np.int64), np.empty(adjacency.sum(), np.int64)
    count = 0
    for v in range(n):
        for u in range(n):
            if adjacency[v, u]:
                others[count] = u
                count += 1
        first[v + 1] = count
    return first, others


@njit(cache=True, nogil=True)
def _search(first, others, colors, fixed, color, moves, state, stop):
    """Search from ``color``, leave the best there; returns its conflicts."""
    n = len(color)
    near = np.zeros((n, colors), np.int64)  # neighbours of each colour
    for v in range(n):
        for i in range(first[v], first[v + 1]):
            near[v, color[others[i]]] += 1
    current, conflicts = color.copy(), 0
    for v in range(n):
        conflicts += near[v, current[v]]
    conflicts //= 2
    best, banned = conflicts, np.zeros((n, colors), np.int64)
    for move in range(1, moves + 1):
        if best == 0 or (move % _PATIENCE == 0 and stop[0] != 0):
            break
        v, to, gain, clashing = _best_move(
            near, current, fixed, banned, move, conflicts, best, state
        )
        if v < 0:
            if clashing == 0:  # all conflicts are between fixed vertices
                break
            continue
        old = current[v]
        banned[v, old] = move + below(_TENURE, state) + np.int64(_TENURE_SHARE * clashing)
        for i in range(first[v], first[v + 1]):
            near[others[i], old] -= 1
            near[others[i], to] += 1
        current[v] = to
        conflicts += gain
        if conflicts < best:
            best = conflicts
            color[:] = current
    return best


@njit(cache=True, nogil=True)
def _best_move(near, current, fixed, banned, move, conflicts, best, state):
    """Vertex and colour of the best allowed move, one of equals; what it gains; who clashes."""
    top, vertex, to, equals, clashing = 1 << 40, -1, -1, 0, 0
    for v in range(len(current)):
        own = near[v, current[v]]
        if own == 0 or fixed[v]:
            continue
        clashing += 1
        for c in range(near.shape[1]):
            if c == current[v]:
                continue
            gain = near[v, c] - own
            if gain > top or (banned[v, c] >= move and conflicts + gain >= best):
                continue
            if gain < top:
                top, equals = gain, 0
            equals += 1
            if equals == 1 or below(equals, state) == 0:
                vertex, to = v, c
    return vertex, to, top, clashing


@njit(cache=True, nogil=True)
def _search_all(adjacency, colors, fixed, color, fallback, moves, state):
    stop = np.zeros(1, np.int8)
    for b in range(len(adjacency)):
        first, others = _neighbour_lists(adjacency[b])
        if _search(first, others, colors[b], fixed[b], color[b], moves, state, stop) != 0:
            color[b] = fallback[b]
