"""Attention within the classes of a partition on the CPU; full attention is one class of all.

Scores are kept transposed, sixteen queries in the lanes of a vector, so that softmax runs down
the keys lane by lane and nothing is summed across lanes. Exponentials are powers of two: the
query norm's weight carries log2(e).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.kernels.cpu_gemm import product
from engine.kernels.simd import (
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

#: One run of heads that attend alike, as numba reads it.
GROUP = np.dtype(
    [
        ("first_head", np.int64),
        ("last_head", np.int64),
        ("classes", np.int64),
        ("size", np.int64),
        ("stride", np.int64),  # size rounded up to whole vectors
        ("cells_at", np.int64),  # where [classes, stride] begins in the index
    ]
)
_ZERO, _TINY = np.float32(0), np.float32(-100)


@njit(cache=True, nogil=True)
def inverse_norms(work, qkv_at, stride, units, width, size, eps, rows, out_at, out_stride):  # type: ignore[no-untyped-def]
    """``1 / rms`` of each of ``units`` runs of ``width`` elements a row, of which ``size`` count."""
    share, eps = splat(np.float32(1) / np.float32(size)), splat(eps)
    for r in range(rows):
        for u in range(0, units, 16):
            squares = sums_of_squares(work, qkv_at + r * stride + u * width, width)
            store(work, out_at + r * out_stride + u, rsqrt(fma(squares, share, eps)))


@njit(cache=True, nogil=True)
def _take(work, from_at, stride, width, inverse_at, inverse_stride, rows, rows_at, count, out_at):  # type: ignore[no-untyped-def]
    """Copy a head's keys or values of one class, normed: [count, width]."""
    for i in range(count):
        row = rows[rows_at + i]
        factor = splat(work[inverse_at + row * inverse_stride])
        for c in range(0, width, 16):
            store(work, out_at + i * width + c, mul(load(work, from_at + row * stride + c), factor))


@njit(cache=True, nogil=True)
def _take_queries(work, from_at, stride, width, size, eps, weights, norm_at, rows, rows_at, out_at):  # type: ignore[no-untyped-def]
    """Sixteen queries of one head, normed, one a lane: [width, 16]."""
    for c in range(0, width, 16):
        transpose(work, from_at + c, stride, rows, rows_at, work, out_at + c * 16)
    squares = splat(_ZERO)
    for c in range(width):
        v = load(work, out_at + c * 16)
        squares = fma(v, v, squares)
    factor = rsqrt(fma(squares, splat(np.float32(1) / np.float32(size)), splat(eps)))
    for c in range(width):
        at = out_at + c * 16
        store(work, at, mul(mul(load(work, at), factor), splat(weights[norm_at + c])))


@njit(cache=True, nogil=True)
def _softmax(work, at, keys, out_at):  # type: ignore[no-untyped-def]
    """Powers of two of the scores [keys, 16] less their maximum; 1 / their sums to ``out_at``."""
    top = load(work, at)
    for j in range(1, keys):
        top = maximum(top, load(work, at + j * 16))
    norm, least = splat(_ZERO), splat(_TINY)
    for j in range(keys):
        power = exp2(maximum(sub(load(work, at + j * 16), top), least))
        store(work, at + j * 16, power)
        norm = fma(power, splat(np.float32(1)), norm)
    store(work, out_at, reciprocal(norm))


@njit(cache=True, nogil=True)
def _give(work, from_at, width, inverse_at, rows, rows_at, count, out_at, stride):  # type: ignore[no-untyped-def]
    """Write a head's outputs to the rows they belong to."""
    for i in range(count):
        factor = splat(work[inverse_at + i])
        out = out_at + rows[rows_at + i] * stride
        for c in range(0, width, 16):
            store(work, out + c, mul(load(work, from_at + i * width + c), factor))


@njit(cache=True, nogil=True)
def attend_class(  # type: ignore[no-untyped-def]
    work, keys_at, values_at, scratch_at, count, q_at, stride, width, size, eps,
    weights, norm_at, rows, rows_at, out_at, out_stride,
):  # fmt: skip
    """One head on one class whose normed keys and values [count, width] lie ready."""
    queries_at = scratch_at
    sums_at = queries_at + width * 16
    mixed_at = sums_at + 16
    scores_at = mixed_at + width * 16
    for first in range(0, count, 16):
        present = min(16, count - first)
        _take_queries(
            work, q_at, stride, width, size, eps, weights, norm_at, rows, rows_at + first,
            queries_at,
        )  # fmt: skip
        product(work, keys_at, width, 1, work, queries_at, 16, size, work, scores_at, 16, count)
        _softmax(work, scores_at, count, sums_at)
        for c in range(0, width, 16):
            product(
                work, scores_at, 1, 16, work, values_at + c, width, count,
                work, mixed_at + c, width, present,
            )  # fmt: skip
        _give(
            work, mixed_at, width, sums_at, rows, rows_at + first, present, out_at, out_stride
        )  # fmt: skip


@njit(cache=True, nogil=True)
def attend_group(  # type: ignore[no-untyped-def]
    work, group, qkv_at, stride, k_from, v_from, inverse_at, inverse_stride, units_v, share,
    width, size, eps, weights, norm_at, rows, keys_at, values_at, scratch_at, out_at, out_stride,
):  # fmt: skip
    """The heads of one group on a canvas.

    A row of the projection holds queries, from ``k_from`` on keys and from ``v_from`` on values,
    ``width`` elements a head; ``share`` query heads have one key head. Where ``v_from`` is
    ``k_from``, normed keys are the values. ``rows`` holds the classes' rows.
    """
    for head in range(group.first_head, group.last_head):
        kv = head // share
        for klass in range(group.classes):
            rows_at = group.cells_at + klass * group.stride
            _take(
                work, qkv_at + k_from + kv * width, stride, width, inverse_at + kv, inverse_stride,
                rows, rows_at, group.size, keys_at,
            )  # fmt: skip
            mine = keys_at
            if v_from != k_from:
                mine = values_at
                _take(
                    work, qkv_at + v_from + kv * width, stride, width, inverse_at + units_v + kv,
                    inverse_stride, rows, rows_at, group.size, values_at,
                )  # fmt: skip
            attend_class(
                work, keys_at, mine, scratch_at, group.size, qkv_at + head * width, stride, width,
                size, eps, weights, norm_at, rows, rows_at, out_at + head * width, out_stride,
            )  # fmt: skip
