"""``TourBatch`` on the CPU: what the reference's pruning does, on masks, a graph at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from engine.constraints.tour import TourBatch
from engine.kernels.cpu_edges import NeighbourLists, neighbour_lists
from engine.kernels.cpu_masks import NONE, ONE, Masks, Rows, is_single


class CpuTour:
    """The compiled counterpart; an ``engine.kernels.cpu_guide.CpuRule``."""

    def __init__(self, lists: NeighbourLists, vertices: Rows, cycle: npt.NDArray[np.bool_]) -> None:
        self._lists, self._vertices, self._cycle = lists, vertices, cycle

    @classmethod
    def of(cls, rule: TourBatch) -> CpuTour:
        """The counterpart of a rule."""
        return cls(neighbour_lists(rule.edges), rule.vertices.numpy(), rule.cycle.numpy())

    def keep(self, rows: Rows) -> CpuTour:
        """See ``CpuRule.keep``."""
        return CpuTour(self._lists.keep(rows), self._vertices[rows], self._cycle[rows])

    def prune(self, masks: Masks, rows: Rows) -> None:
        """See ``CpuRule.prune``."""
        lists = self._lists
        _prune(masks, rows, lists.first, lists.others, self._vertices, self._cycle)


@njit(cache=True, nogil=True)
def _prune(masks, rows, first, others, vertices, cycle):
    for row in rows:
        n = vertices[row]
        if not _settle(masks[row, :n], first[row], others, cycle[row]):
            masks[row] = NONE


@njit(cache=True, nogil=True)
def _settle(masks, first, others, cycle):
    """Narrow until nothing changes; False at a contradiction."""
    reached = np.empty(len(masks), np.uint64)
    for mask in masks:
        if mask == NONE:
            return False
    changed = True
    while changed:
        placed, more, taken, twice = _survey(masks)
        if twice != NONE or placed != _all_places(len(masks)):
            return False
        changed = _narrow(masks, taken, placed & ~more & ~taken)
        _reach(masks, first, others, reached)
        for v in range(len(masks)):
            narrowed = masks[v] & _beside(reached[v], len(masks), cycle)
            if narrowed == NONE:
                return False
            changed |= narrowed != masks[v]
            masks[v] = narrowed
    return True


@njit(cache=True, nogil=True)
def _all_places(n):
    return ~NONE >> np.uint64(64 - n)


@njit(cache=True, nogil=True)
def _survey(masks):
    """Places that somebody can have, several can have, somebody has, two have."""
    once, more, taken, twice = NONE, NONE, NONE, NONE
    for mask in masks:
        single = mask if is_single(mask) else NONE
        more |= once & mask
        once |= mask
        twice |= taken & single
        taken |= single
    return once, more, taken, twice


@njit(cache=True, nogil=True)
def _narrow(masks, taken, hidden):
    """Take taken places from the undecided, give hidden ones; returns whether anything changed."""
    changed = False
    for v in range(len(masks)):
        if is_single(masks[v]):
            continue
        mask = masks[v] & ~taken
        last = mask & hidden
        if last:
            mask = last if is_single(last) else NONE
        changed |= mask != masks[v]
        masks[v] = mask
    return changed


@njit(cache=True, nogil=True)
def _reach(masks, first, others, reached):
    """The places that some neighbour of each vertex can have."""
    for v in range(len(masks)):
        reached[v] = NONE
        for i in range(first[v], first[v + 1]):
            reached[v] |= masks[others[i]]


@njit(cache=True, nogil=True)
def _beside(reached, n, cycle):
    """Places with a reached one after and a reached one before; open ends of a path need none."""
    last = np.uint64(n - 1)
    before_reached = reached >> ONE
    after_reached = (reached << ONE) & _all_places(n)
    if cycle:
        before_reached |= (reached & ONE) << last
        after_reached |= reached >> last
    else:
        before_reached |= ONE << last
        after_reached |= ONE
    return before_reached & after_reached
