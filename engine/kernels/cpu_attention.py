"""Attention within the classes of a partition on the CPU; full attention is one class of all.

Scores are kept transposed, sixteen queries in the lanes of a vector, so that softmax runs down
the keys lane by lane and nothing is summed across lanes. Exponentials are powers of two: the
query norm's weight carries log2(e).

``work`` is a thread's scratch, ``at`` its ``BUFFERS``, ``layer`` a ``LAYER``; see ``cpu_layout``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.kernels.cpu_gemm import product
from engine.kernels.simd import (
    add,
    exp2,
    fma,
    load,
    maximum,
    mul,
    reciprocal,
    rsqrt,
    splat,
    store,
    sub,
    sums_of_squares,
    transpose,
)

_ZERO, _ONE = np.float32(0), np.float32(1)
#: Far below what float32 can tell from nothing in a sum, far above where it loses digits.
_LEAST = np.float32(-100)


@njit(cache=True, nogil=True)
def attend(work, at, layer, weights, eps, groups, index, rows):  # type: ignore[no-untyped-def]
    """All heads of a layer: from its projection to ``heads``, ``rows`` rows."""
    _inverse_norms(work, at, layer, eps, rows)
    for g in range(layer.first_group, layer.last_group):
        group = groups[g]
        for head in range(group.first_head, group.last_head):
            for klass in range(group.classes):
                cells_at = group.cells_at + klass * group.stride
                _attend_class(work, at, layer, weights, eps, index, cells_at, group.size, head)


@njit(cache=True, nogil=True)
def _inverse_norms(work, at, layer, eps, rows):  # type: ignore[no-untyped-def]
    """``1 / rms`` of each key and value head of each row."""
    share = splat(_ONE / np.float32(layer.size))
    for r in range(rows):
        start = at.projected + r * layer.projected_stride + layer.keys_from
        for unit in range(0, layer.units, 16):
            squares = sums_of_squares(work, start + unit * layer.width, layer.width)
            inverse = rsqrt(fma(squares, share, splat(eps)))
            store(work, at.inverses + r * layer.units_stride + unit, inverse)


@njit(cache=True, nogil=True)
def _attend_class(work, at, layer, weights, eps, index, cells_at, size, head):  # type: ignore[no-untyped-def]
    """One head on the ``size`` cells of one class."""
    width = layer.width
    kv = head // (layer.heads // layer.kv_heads)
    _take(work, at, layer, layer.keys_from, kv, 0, index, cells_at, size, at.keys)
    values = at.keys  # normed keys are the values where there is no projection of their own
    if layer.values_from != layer.keys_from:
        values = at.values
        first = layer.kv_heads
        _take(work, at, layer, layer.values_from, kv, first, index, cells_at, size, at.values)
    for start in range(0, size, 16):
        _take_queries(work, at, layer, weights, eps, index, cells_at + start, head)
        product(
            work, at.keys, width, 1, work, at.queries, 16, layer.size, work, at.scores, 16, size
        )
        _softmax(work, at, size)
        present = min(16, size - start)
        for c in range(0, width, 16):
            product(
                work, at.scores, 1, 16, work, values + c, width, size,
                work, at.mixed + c, width, present,
            )  # fmt: skip
        _give(work, at, layer, index, cells_at + start, present, head)


@njit(cache=True, nogil=True)
def _take(work, at, layer, start, kv, unit, index, cells_at, size, out):  # type: ignore[no-untyped-def]
    """Copy one head's keys or values of a class, normed: [size, width]."""
    for i in range(size):
        row = index[cells_at + i]
        factor = splat(work[at.inverses + row * layer.units_stride + unit + kv])
        source = at.projected + row * layer.projected_stride + start + kv * layer.width
        for c in range(0, layer.width, 16):
            store(work, out + i * layer.width + c, mul(load(work, source + c), factor))


@njit(cache=True, nogil=True)
def _take_queries(work, at, layer, weights, eps, index, cells_at, head):  # type: ignore[no-untyped-def]
    """Sixteen queries of one head, normed, one a lane: [width, 16]."""
    start = at.projected + head * layer.width
    for c in range(0, layer.width, 16):
        transpose(
            work, start + c, layer.projected_stride, index, cells_at, work, at.queries + c * 16
        )
    squares = splat(_ZERO)
    for c in range(layer.width):
        v = load(work, at.queries + c * 16)
        squares = fma(v, v, squares)
    share = splat(_ONE / np.float32(layer.size))
    factor = rsqrt(fma(squares, share, splat(eps)))
    for c in range(layer.width):
        v = mul(load(work, at.queries + c * 16), factor)
        store(work, at.queries + c * 16, mul(v, splat(weights[layer.query_norm_at + c])))


@njit(cache=True, nogil=True)
def _softmax(work, at, keys):  # type: ignore[no-untyped-def]
    """Powers of two of the scores [keys, 16] less their maximum, and 1 over their sums."""
    top = load(work, at.scores)
    for j in range(1, keys):
        top = maximum(top, load(work, at.scores + j * 16))
    norm, least = splat(_ZERO), splat(_LEAST)
    for j in range(keys):
        power = exp2(maximum(sub(load(work, at.scores + j * 16), top), least))
        store(work, at.scores + j * 16, power)
        norm = add(norm, power)
    store(work, at.sums, reciprocal(norm))


@njit(cache=True, nogil=True)
def _give(work, at, layer, index, cells_at, count, head):  # type: ignore[no-untyped-def]
    """Write one head's outputs to the rows they belong to."""
    for i in range(count):
        factor = splat(work[at.sums + i])
        out = at.heads + index[cells_at + i] * layer.heads_stride + head * layer.width
        for c in range(0, layer.width, 16):
            store(work, out + c, mul(load(work, at.mixed + i * layer.width + c), factor))
