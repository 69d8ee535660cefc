"""The belief of a canvas from its logits on the CPU: a softmax over each position's domain."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from engine.kernels.simd import LANES, add, div, fma, load, maximum, minimum, mul, splat, store, sub
from engine.kernels.simd_functions import exp2
from engine.kernels.simd_shuffles import peak, total

_ZERO, _ONE = np.float32(0), np.float32(1)
_LOG2_E, _LOWEST, _HIGHEST = np.float32(math.log2(math.e)), np.float32(-126), np.float32(126)
#: A scaled logit of no token at all, in the padding of a row.
_ABSENT = np.float32(-1e30)


@njit(cache=True, nogil=True)
def believe(first, last, logits, allowed, temperature, belief, mass):
    """The softmax over each domain, and the share of the whole softmax that lies on it.

    Logits of a position whose domain is a single token are not read: nobody computes them.

    Args:
        first: of the canvases.
        last: one past the last.
        logits: float32 [B, L, V].
        allowed: bool [B, L, V], the domain; [B, L, 0] when every token is allowed.
        temperature: float32 [B].
        belief: float32 [B, L, V], written.
        mass: float32 [B, L], the share, written where it may be below 1; comes as ones.
    """
    length, vocabulary = logits.shape[1:]
    restricted = allowed.shape[2] > 0
    size = -(-vocabulary // LANES) * LANES
    row, inside = np.zeros((2, size), np.float32)
    inside[:vocabulary] = 1
    for b in range(first, last):
        for at in range(length):
            if restricted:
                count = 0
                for v in range(vocabulary):
                    inside[v] = allowed[b, at, v]
                    count += allowed[b, at, v]
                if count == 1:
                    for v in range(vocabulary):
                        belief[b, at, v] = inside[v]
                    continue
            for v in range(vocabulary):
                row[v] = logits[b, at, v]
            share = _softmax(row, inside, temperature[b], vocabulary)
            for v in range(vocabulary):
                belief[b, at, v] = row[v]
            if restricted:
                mass[b, at] = share


@njit(cache=True, nogil=True)
def _softmax(row, inside, temperature, vocabulary):
    """The softmax of a row over where ``inside`` is 1, in place; returns the share that lies there.

    Each of both softmaxes is taken less its own maximum, so that neither can vanish.
    """
    for c in range(0, len(row), LANES):
        store(row, c, div(load(row, c), splat(temperature)))
    for v in range(vocabulary, len(row)):
        row[v] = _ABSENT
    top, top_inside = _tops(row, inside)
    everything, domain = splat(_ZERO), splat(_ZERO)
    for c in range(0, len(row), LANES):
        part = mul(_exp(sub(load(row, c), splat(top_inside))), load(inside, c))
        domain = add(domain, part)
        everything = add(everything, _exp(sub(load(row, c), splat(top))))
        store(row, c, part)
    whole = total(domain)
    for c in range(0, len(row), LANES):
        store(row, c, div(load(row, c), splat(whole)))
    return whole * math.exp(np.float64(top_inside) - np.float64(top)) / total(everything)


@njit(cache=True, nogil=True)
def _tops(row, inside):
    """The largest of a row, and the largest where ``inside`` is 1."""
    top, top_inside = splat(_ABSENT), splat(_ABSENT)
    for c in range(0, len(row), LANES):
        scaled, chosen = load(row, c), load(inside, c)
        top = maximum(top, scaled)
        hidden = mul(sub(splat(_ONE), chosen), splat(_ABSENT))
        top_inside = maximum(top_inside, fma(scaled, chosen, hidden))
    return peak(top), peak(top_inside)


@njit(cache=True, nogil=True)
def _exp(x):
    """``exp x``; tokens outside the domain may be likelier than those inside: kept finite."""
    return exp2(minimum(maximum(mul(x, splat(_LOG2_E)), splat(_LOWEST)), splat(_HIGHEST)))
