"""``NotEqualBatch`` on the CPU: what the reference's pruning does, on masks, a graph at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.constraints.not_equal import NotEqualBatch
from engine.kernels.cpu_edges import NeighbourLists, neighbour_lists
from engine.kernels.cpu_masks import NONE, Masks, Rows, is_single


class CpuNotEqual:
    """The compiled counterpart; an ``engine.kernels.cpu_guide.CpuRule``."""

    def __init__(self, lists: NeighbourLists) -> None:
        self._lists = lists

    @classmethod
    def of(cls, rule: NotEqualBatch) -> CpuNotEqual:
        """The counterpart of a rule."""
        return cls(neighbour_lists(rule.edges))

    def keep(self, rows: Rows) -> CpuNotEqual:
        """See ``CpuRule.keep``."""
        return CpuNotEqual(self._lists.keep(rows))

    def prune(self, masks: Masks, rows: Rows) -> None:
        """See ``CpuRule.prune``."""
        _prune(masks, rows, self._lists.first, self._lists.others)


@njit(cache=True, nogil=True)
def _prune(masks, rows, first, others):
    decided = np.empty(masks.shape[1], np.int64)
    for row in rows:
        if not _settle(masks[row], first[row], others, decided):
            masks[row] = NONE


@njit(cache=True, nogil=True)
def _settle(masks, first, others, decided):
    """Take decided tokens from neighbours until none is decided anew; False at a contradiction.

    ``decided`` has room for every vertex, each of which is decided once.
    """
    count, done = 0, 0
    for v in range(len(masks)):
        if masks[v] == NONE:
            return False
        if is_single(masks[v]):
            decided[count] = v
            count += 1
    while done < count:
        v = decided[done]
        done += 1
        for i in range(first[v], first[v + 1]):
            u = others[i]
            if masks[u] & masks[v] == NONE:
                continue
            masks[u] &= ~masks[v]
            if masks[u] == NONE:
                return False
            if is_single(masks[u]):
                decided[count] = u
                count += 1
    return True
