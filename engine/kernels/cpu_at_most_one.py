"""``AtMostOneBatch`` on the CPU: what the reference's pruning does, on masks, a graph at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.constraints.at_most_one import CHOSEN, LEFT_OUT, AtMostOneBatch
from engine.kernels.cpu_edges import NeighbourLists, neighbour_lists
from engine.kernels.cpu_masks import NONE, Masks, Rows

_OUT, _IN = np.uint64(1 << LEFT_OUT), np.uint64(1 << CHOSEN)


class CpuAtMostOne:
    """The compiled counterpart; an ``engine.kernels.cpu_guide.CpuRule``."""

    def __init__(self, lists: NeighbourLists, least: Rows) -> None:
        self._lists, self._least = lists, least

    @classmethod
    def of(cls, rule: AtMostOneBatch) -> CpuAtMostOne:
        """The counterpart of a rule."""
        return cls(neighbour_lists(rule.edges), rule.least.numpy())

    def keep(self, rows: Rows) -> CpuAtMostOne:
        """See ``CpuRule.keep``."""
        return CpuAtMostOne(self._lists.keep(rows), self._least[rows])

    def prune(self, masks: Masks, rows: Rows) -> None:
        """See ``CpuRule.prune``."""
        _prune(masks, rows, self._lists.first, self._lists.others, self._least)


@njit(cache=True, nogil=True)
def _prune(masks, rows, first, others, least):
    for row in rows:
        if not _settle(masks[row], first[row], others, least[row]):
            masks[row] = NONE


@njit(cache=True, nogil=True)
def _settle(masks, first, others, least):
    """Leave out neighbours of the chosen, choose all where no other would do; False if neither."""
    for mask in masks:
        if mask == NONE:
            return False
    if not _leave_out(masks, first, others):
        return False
    choosable = 0
    for mask in masks:
        choosable += 1 if mask & _IN else 0
    if choosable > least:
        return True
    for v in range(len(masks)):
        if masks[v] & _IN != NONE:
            masks[v] &= ~_OUT
    return choosable == least and _leave_out(masks, first, others)


@njit(cache=True, nogil=True)
def _leave_out(masks, first, others):
    for v in range(len(masks)):
        if masks[v] == _IN:
            for i in range(first[v], first[v + 1]):
                masks[others[i]] &= ~_IN
                if masks[others[i]] == NONE:
                    return False
    return True
