"""Candidates as bit masks: bit d - 1 is digit d."""

from __future__ import annotations

from numba import njit

from solvers.splitmix import below


@njit(cache=True)
def popcount(mask):
    """How many candidates a mask has."""
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@njit(cache=True)
def random_bit(mask, state):
    """The mask of one candidate, drawn from those of ``mask``, which has some."""
    for _ in range(below(popcount(mask), state)):
        mask &= mask - 1
    return mask & -mask


@njit(cache=True)
def digit_of(bit):
    """The digit of a mask of one candidate."""
    digit = 0
    while bit:
        bit >>= 1
        digit += 1
    return digit
