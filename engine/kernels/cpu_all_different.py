"""``AllDifferent`` on the CPU: what the reference's methods do, on masks, a canvas at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.constraints import AllDifferent
from engine.kernels.cpu_masks import NONE, ONE, Masks, Rows, count_bits, is_single


class CpuAllDifferent:
    """The compiled counterpart of an ``AllDifferent``; an ``engine.kernels.cpu_guide.CpuRule``."""

    def __init__(self, rule: AllDifferent) -> None:
        # Indices are unsigned, so that numba need not look for negative ones.
        self._groups = rule.groups.astype(np.uint64)
        self._first, self._groups_of = (x.astype(np.uint64) for x in _memberships(rule))

    def keep(self, rows: Rows) -> CpuAllDifferent:  # noqa: ARG002  # all canvases share it
        """The rule itself; see ``CpuRule.keep``."""
        return self

    def prune(self, masks: Masks, rows: Rows) -> None:
        """See ``CpuRule.prune``."""
        _prune(masks, rows, self._groups, self._first, self._groups_of)


def _memberships(rule: AllDifferent) -> tuple[Rows, Rows]:
    """``first``, ``groups_of``: those of position p are ``groups_of[first[p] : first[p + 1]]``."""
    positions = rule.groups.ravel()
    groups = np.repeat(np.arange(len(rule.groups)), rule.groups.shape[1])
    counts = np.bincount(positions, minlength=rule.length)
    first = np.concatenate([[0], np.cumsum(counts)])
    return first, groups[np.argsort(positions, kind="stable")]


@njit(cache=True, nogil=True)
def _prune(masks, rows, groups, first, groups_of):
    stale = np.empty(len(groups), np.bool_)
    for row in rows:
        if not _settle(masks[row], groups, first, groups_of, stale):
            masks[row] = NONE


@njit(cache=True, nogil=True)
def _settle(masks, groups, first, groups_of, stale):
    """Narrow groups until none changes another; False at a contradiction.

    ``stale`` marks those with a position that changed since they were looked at.
    """
    for mask in masks:
        if mask == NONE:
            return False
    stale[:] = True
    while np.any(stale):
        for g in range(len(groups)):
            if stale[g]:
                stale[g] = False
                if not _narrow_group(masks, groups[g], first, groups_of, stale):
                    return False
    return True


@njit(cache=True, nogil=True)
def _narrow_group(masks, group, first, groups_of, stale):
    """Take taken tokens from the others and decide hidden ones; False at a contradiction."""
    taken, hidden, contested, possible = _survey(masks, group)
    if not possible:
        return False
    if not contested | hidden:
        return True
    for i in range(len(group)):
        at = group[i]
        mask = _narrow(masks[at], taken, hidden)
        if mask == masks[at]:
            continue
        if mask == NONE:
            return False
        masks[at] = mask
        for k in range(first[at], first[at + ONE]):
            stale[groups_of[k]] = True
    return True


@njit(cache=True, nogil=True, inline="always")  # numba's calls hand arrays over field by field
def _survey(masks, group):
    """What a group has taken, which tokens have their last place, what others could still take.

    And whether it can be completed. Without branches: which positions are decided is random.
    """
    once, more, taken, twice, others = NONE, NONE, NONE, NONE, NONE
    for i in range(len(group)):
        mask = masks[group[i]]
        single = mask if is_single(mask) else NONE
        more |= once & mask
        once |= mask
        twice |= taken & single
        taken |= single
        others |= mask ^ single
    kinds = count_bits(once)
    hidden = once & ~more & ~taken if kinds == len(group) else NONE
    return taken, hidden, taken & others, twice == NONE and kinds >= len(group)


@njit(cache=True, nogil=True)
def _narrow(mask, taken, hidden):
    """A position's mask less what others took, or the token that has its last place there."""
    if is_single(mask):
        return mask
    mask &= ~taken
    last = mask & hidden
    if last:
        return last if is_single(last) else NONE
    return mask
