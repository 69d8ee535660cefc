"""Attention within the classes of a partition on the CPU; full attention is one class of all.

A mask takes keys out of such a class, for each query its own.

Scores are kept transposed, sixteen queries in the lanes of a vector, so that softmax runs down
the keys lane by lane and nothing is summed across lanes. Exponentials are powers of two: the
query norm's weight carries log2(e).

``work`` is a thread's scratch, ``at`` its ``BUFFERS``, ``layer`` a ``LAYER``; see ``cpu_layout``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.kernels.cpu_blocks import THIN_ROWS, mix_block, score_block
from engine.kernels.simd import add, div, fma, load, maximum, mul, splat, store, sub, where
from engine.kernels.simd_functions import exp2, rsqrt
from engine.kernels.simd_runs import (
    column_maximum,
    normalise_8_runs,
    normalise_16_runs,
    sums_of_squares,
    transpose,
)

_ZERO, _ONE = np.float32(0), np.float32(1)
#: Far below what float32 can tell from nothing in a sum, far above where it loses digits.
_LEAST = np.float32(-100)
#: The score of a key that a query does not see; no score makes up for it.
_UNSEEN = np.float32(-1e30)


@njit(cache=True, nogil=True)
def attend(work, at, layer, weights, eps, groups, index, masks, part, parts):
    """All heads of a layer: from its projection, units normed, to ``heads``.

    ``masks`` are the canvas's, bool [M, L, L in whole vectors]; see ``HeadLayout``. Of the work,
    sixteen queries of a head at a time, this is one part of several.
    """
    turn = part
    for g in range(layer.first_group, layer.last_group):
        group = groups[g]
        for head in range(group.first_head, group.last_head):
            for klass in range(group.classes):
                cells_at = group.cells_at + klass * group.stride
                for start in range(0, group.size, 16):
                    if turn == 0:
                        _attend_class(
                            work, at, layer, weights, eps, index, cells_at, group.size, start,
                            head, masks, group.mask,
                        )  # fmt: skip
                        turn = parts
                    turn -= 1


@njit(cache=True, nogil=True)
def normalise_units(work, at, layer, eps, rows):
    """Norm each key and value head of each row, in place."""
    first, units = at.projected + layer.keys_from, layer.units
    for r in range(rows):
        start, u = first + r * layer.projected_stride, 0
        if layer.size == 16:
            while units - u >= 16:
                normalise_16_runs(work, start + u * 16, eps)
                u += 16
            if units - u >= 8:
                normalise_8_runs(work, start + u * 16, eps)
                u += 8
        if u < units:
            _normalise_wide(work, start, u, units, layer.width, layer.size, eps, at.sums)


@njit(cache=True, nogil=True)
def _normalise_wide(work, start, first, last, width, size, eps, sums):
    """Norm the units ``first`` to ``last`` of a row, of any width."""
    share = splat(_ONE / np.float32(size))
    for block in range(first, last, 16):
        squares = sums_of_squares(work, start + block * width, width)
        store(work, sums, rsqrt(fma(squares, share, splat(eps))))
        for u in range(block, min(block + 16, last)):
            factor = splat(work[sums + u - block])
            for c in range(start + u * width, start + (u + 1) * width, 16):
                store(work, c, mul(load(work, c), factor))


@njit(cache=True, nogil=True)
def _attend_class(
    work, at, layer, weights, eps, index, cells_at, size, start, head, masks, mask
):  # fmt: skip
    """Sixteen queries of a head, from ``start`` on, and the ``size`` cells of their class.

    Under a mask if that is not -1.
    """
    stride = layer.projected_stride
    kv = head // (layer.heads // layer.kv_heads) * layer.width
    keys = at.projected + layer.keys_from + kv
    values = at.projected + layer.values_from + kv  # the keys, where values have no projection
    _take_queries(work, at, layer, weights, eps, index, cells_at + start, head)
    _score(work, at, keys, stride, index, cells_at, size, layer.width)
    if mask >= 0:
        _hide(work, at, masks[mask], start, size)
    _softmax(work, at, size)
    present = min(16, size - start)
    for c in range(0, layer.width, 16):
        _mix(
            work, at, values + c, stride, index, cells_at, size,
            at.heads + head * layer.width + c, layer.heads_stride, cells_at + start, present,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _take_queries(work, at, layer, weights, eps, index, cells_at, head):
    """Sixteen queries of one head, normed, one a lane: [width, 16]."""
    start, stride = at.projected + head * layer.width, layer.projected_stride
    squares = splat(_ZERO)
    for c in range(0, layer.width, 16):
        part = transpose(work, start + c, stride, index, cells_at, work, at.queries + c * 16)
        squares = add(squares, part)
    share = splat(_ONE / np.float32(layer.size))
    factor = rsqrt(fma(squares, share, splat(eps)))
    queries, norm_at = at.queries, layer.query_norm_at
    for c in range(layer.width):
        v = mul(load(work, queries + c * 16), splat(weights[norm_at + c]))
        store(work, queries + c * 16, mul(v, factor))


@njit(cache=True, nogil=True)
def _score(work, at, keys, stride, index, cells_at, size, depth):
    """Scores of sixteen queries for all keys of a class, in blocks of about the same size."""
    blocks, first = -(-size // THIN_ROWS), 0
    for block in range(blocks):
        count = -(-(size - first) // (blocks - block))
        score_block(
            work, keys, stride, index, cells_at + first, at.queries, depth,
            at.scores + first * 16, count,
        )  # fmt: skip
        first += count


@njit(cache=True, nogil=True)
def _hide(work, at, mask, start, keys):
    """Leave of the scores [keys, 16] what the queries from ``start`` on see."""
    unseen = splat(_UNSEEN)
    for j in range(keys):
        score = at.scores + j * 16
        store(work, score, where(mask[j], start, load(work, score), unseen))


@njit(cache=True, nogil=True)
def _softmax(work, at, keys):
    """Powers of two of the scores [keys, 16] less their maximum, and 1 over their sums."""
    scores = at.scores
    top = column_maximum(work, scores, keys)
    norm, least = splat(_ZERO), splat(_LEAST)
    for j in range(keys):
        power = exp2(maximum(sub(load(work, scores + j * 16), top), least))
        store(work, scores + j * 16, power)
        norm = add(norm, power)
    store(work, at.sums, div(splat(_ONE), norm))


@njit(cache=True, nogil=True)
def _mix(work, at, values, stride, index, cells_at, size, out, out_stride, queries_at, present):
    """The weighted values of ``present`` queries, written to the rows they belong to."""
    for first in range(0, present, THIN_ROWS):
        mix_block(
            work, at.scores + first, at.sums + first, values, stride, index, cells_at, size,
            out, out_stride, queries_at + first, min(THIN_ROWS, present - first),
        )  # fmt: skip
