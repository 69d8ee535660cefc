"""The next canvas from a belief on the CPU: sampled, accepted where sure, renoised elsewhere."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from engine.kernels.cpu_noise import stream, uniform, uniforms
from engine.kernels.simd import LANES, div, fma, load, maximum, splat, store
from engine.kernels.simd_functions import log
from engine.kernels.simd_shuffles import peak, total

_TOKEN, _RENOISE = np.uint64(0), np.uint64(1)
_ZERO, _TINY = np.float32(0), np.float32(1e-30)
#: A token this much less likely than the likeliest loses whatever the 23-bit noise.
_HOPELESS = np.float32(3e-9)
#: Times nearer than this are told apart by the reference's own rounding.
_CLOSE = np.float32(1 + 1e-5)
#: Before the first clock, as times run in ``_race``.
_NEVER = np.float32(-3e38)


@njit(cache=True, nogil=True)
def draw(first, last, belief, allowed, bounds, keys, steps, out):
    """Sample, accept and renoise canvases.

    Args:
        first: of the canvases.
        last: one past the last.
        belief: float32 [B, L, V].
        allowed: bool [B, L, V], the domain; [B, L, 0] when every token is allowed.
        bounds: float32 [B], of the entropy that is accepted.
        keys: uint64 [B], of the noise.
        steps: uint64 [B], which draws of it.
        out: canvas, draft, accepted and entropy, [B, L] each as in ``StepResult``, written.
    """
    canvas, draft, accepted, entropy = out
    vocabulary = belief.shape[2]
    row, times = np.zeros((2, -(-vocabulary // LANES) * LANES), np.float32)
    for b in range(first, last):
        fresh = stream(keys[b], steps[b], _RENOISE)
        tokens = stream(keys[b], steps[b], _TOKEN)
        _sample(belief[b], tokens, row, times, canvas[b], draft[b], entropy[b])
        _accept(entropy[b], bounds[b], accepted[b])
        _renoise(accepted[b], fresh, allowed[b], vocabulary, canvas[b])


@njit(cache=True, nogil=True)
def _sample(belief, key, row, times, canvas, draft, entropy):
    """A draw from each position's belief, the likeliest token, the entropy."""
    length, vocabulary = belief.shape
    for at in range(length):
        for v in range(vocabulary):
            row[v] = belief[at, v]
        top, likeliest = _top(row), 0
        while likeliest < vocabulary - 1 and row[likeliest] != top:
            likeliest += 1
        draft[at], entropy[at] = likeliest, _entropy(row)
        floor, alive = top * _HOPELESS, 0
        for v in range(len(row)):
            alive += row[v] > floor
        canvas[at] = likeliest
        if alive > 1:
            canvas[at] = _race(row, times, key, at * vocabulary, vocabulary)


@njit(cache=True, nogil=True)
def _top(row):
    """The largest of a row that ends in zeros."""
    top = splat(_ZERO)
    for c in range(0, len(row), LANES):
        top = maximum(top, load(row, c))
    return peak(top)


@njit(cache=True, nogil=True)
def _entropy(row):
    """In nats, of a row that ends in zeros."""
    sums = splat(_ZERO)
    for c in range(0, len(row), LANES):
        p = load(row, c)
        sums = fma(p, log(maximum(p, splat(_TINY))), sums)
    return max(_ZERO, -total(sums))


@njit(cache=True, nogil=True)
def _race(row, times, key, first, vocabulary):
    """The token whose exponential clock, of rate p, rings first: Gumbel's trick without a log.

    Two that ring at almost the same time are told apart as the reference would. ``times`` is room
    for a row; in it times run backwards from 0.
    """
    best = splat(_NEVER)
    for c in range(0, len(row), LANES):
        rate = maximum(load(row, c), splat(_TINY))
        time = div(log(uniforms(key, first + c)), rate)
        store(times, c, time)
        best = maximum(best, time)
    soonest, winner, close = peak(best), 0, 0
    while winner < vocabulary - 1 and times[winner] != soonest:
        winner += 1
    for v in range(len(row)):
        close += times[v] > soonest * _CLOSE
    if close > 1:
        return _gumbel_winner(row, key, first, vocabulary)
    return winner


@njit(cache=True, nogil=True)
def _gumbel_winner(row, key, first, vocabulary):
    """The argmax of log p plus Gumbel noise, rounded where the reference rounds."""
    best, best_score = 0, np.float32(-math.inf)
    for v in range(vocabulary):
        if row[v] > 0:
            inner = np.float32(-math.log(np.float64(uniform(key, first + v))))
            gumbel = np.float32(-math.log(np.float64(inner)))
            score = np.float32(math.log(np.float64(row[v]))) + gumbel
            if score > best_score:
                best, best_score = v, score
    return best


@njit(cache=True, nogil=True)
def _accept(entropy, bound, accepted):
    """By rising entropy while the sum of those before stays within the bound."""
    so_far = 0.0
    for at in np.argsort(entropy, kind="mergesort"):
        so_far += entropy[at]
        accepted[at] = np.float32(so_far) - entropy[at] <= bound


@njit(cache=True, nogil=True)
def _renoise(accepted, key, allowed, vocabulary, canvas):
    """Put a token of the domain, all alike, where none was accepted."""
    for at in range(len(accepted)):
        if accepted[at]:
            continue
        draw = uniform(key, at)
        if allowed.shape[1] == 0:
            canvas[at] = np.int64(draw * np.float32(vocabulary))
        else:
            canvas[at] = _pick(draw, allowed, at)


@njit(cache=True, nogil=True)
def _pick(draw, allowed, at):
    """Turn a draw in (0, 1) into a token of the domain ``allowed[at]``."""
    count = 0
    for v in range(allowed.shape[1]):
        count += allowed[at, v]
    rank = np.int64(draw * np.float32(count))
    for v in range(allowed.shape[1]):
        if allowed[at, v]:
            if rank == 0:
                return v
            rank -= 1
    return 0
