"""What follows from a candidate kept or dropped: naked and hidden singles, to the end."""

from __future__ import annotations

from numba import njit


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
def propagate(tables, masks, queue, queued, dirty):
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
def keep(tables, masks, cell, bit, queue):
    """Decide a cell and propagate; False at a contradiction."""
    masks[cell] = bit
    queue[0] = cell
    return propagate(tables, masks, queue, 1, tables.units_of[cell])


@njit(cache=True)
def drop(tables, masks, cell, bit, queue):
    """Take a candidate from a cell and propagate; False at a contradiction."""
    mask = masks[cell] & ~bit
    masks[cell] = mask
    if mask == 0:
        return False
    queue[0] = cell
    queued = 1 if mask & (mask - 1) == 0 else 0
    return propagate(tables, masks, queue, queued, tables.units_of[cell])
