"""What happens between the matrix products on the CPU: norms and residual sums, row by row.

Matrices lie in one flat scratch array ``x``; a matrix is given by where it begins. Rows are
``stride`` apart, a multiple of 16; their first ``size`` elements count and the rest are zero.
Lengths are taken of sixteen rows at once; ``sums`` is room for 32 elements.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.kernels.simd import add, fma, load, mul, splat, store
from engine.kernels.simd_functions import rsqrt, tanh
from engine.kernels.simd_runs import sums_of_squares

_ONE = np.float32(1)


@njit(cache=True, nogil=True)
def _inverse_norms(x, at, stride, size, eps, out):
    """``1 / rms`` of sixteen rows; a matrix has room for whole sixteens."""
    squares = sums_of_squares(x, at, stride)
    store(x, out, rsqrt(fma(squares, splat(_ONE / np.float32(size)), splat(eps))))


@njit(cache=True, nogil=True)
def _scale(x, row, out, stride, factor):
    for c in range(0, stride, 16):
        store(x, out + c, mul(load(x, row + c), splat(factor)))


@njit(cache=True, nogil=True)
def scale_by_norm(x, at, stride, measured, measured_stride, rows, size, eps, sums):
    """Divide each row by the root mean square, over ``size``, of its row in another matrix."""
    for first in range(0, rows, 16):
        _inverse_norms(x, measured + first * measured_stride, measured_stride, size, eps, sums)
        for r in range(first, min(first + 16, rows)):
            row = at + r * stride
            _scale(x, row, row, stride, x[sums + r - first])


@njit(cache=True, nogil=True)
def normalise(x, at, out, stride, rows, size, eps, sums):
    """``out = x / rms(x)``, row by row; both may be one matrix."""
    for first in range(0, rows, 16):
        _inverse_norms(x, at + first * stride, stride, size, eps, sums)
        for r in range(first, min(first + 16, rows)):
            _scale(x, at + r * stride, out + r * stride, stride, x[sums + r - first])


@njit(cache=True, nogil=True)
def add_attention(x, residual, mixed, normed, stride, rows, size, eps, weights, norm_at, sums):
    """``residual += norm(mixed)``, then ``normed = residual / rms(residual)``."""
    for first in range(0, rows, 16):
        count, skip = min(16, rows - first), first * stride
        _inverse_norms(x, mixed + skip, stride, size, eps, sums)
        for r in range(count):
            row, extra = residual + skip + r * stride, mixed + skip + r * stride
            factor = splat(x[sums + r])
            for c in range(0, stride, 16):
                v = mul(load(x, extra + c), factor)
                store(x, row + c, fma(v, load(weights, norm_at + c), load(x, row + c)))
        normalise(x, residual + skip, normed + skip, stride, count, size, eps, sums)


@njit(cache=True, nogil=True)
def add_feedforward(
    x, residual, dense, expert, normed, stride, rows, size, eps, weights, norms_at, sums
):
    """``residual = scalar (residual + norm(norm(dense) + norm(expert)))``; ``normed`` of that.

    At ``norms_at``: the weights of the norms of dense and expert, that of their sum times the
    scalar, and a row of the scalar alone.
    """
    for first in range(0, rows, 16):
        count, skip = min(16, rows - first), first * stride
        _join(x, dense + skip, expert + skip, stride, count, size, eps, weights, norms_at, sums)
        _inverse_norms(x, dense + skip, stride, size, eps, sums)
        for r in range(count):
            row, both = residual + skip + r * stride, dense + skip + r * stride
            factor = splat(x[sums + r])
            for c in range(0, stride, 16):
                v = mul(load(x, row + c), load(weights, norms_at + 3 * stride + c))
                weight = load(weights, norms_at + 2 * stride + c)
                store(x, row + c, fma(mul(load(x, both + c), factor), weight, v))
        normalise(x, residual + skip, normed + skip, stride, count, size, eps, sums)


@njit(cache=True, nogil=True)
def _join(x, dense, expert, stride, count, size, eps, weights, norms_at, sums):
    """``dense = norm(dense) + norm(expert)`` for up to sixteen rows."""
    _inverse_norms(x, dense, stride, size, eps, sums)
    _inverse_norms(x, expert, stride, size, eps, sums + 16)
    for r in range(count):
        left, right = dense + r * stride, expert + r * stride
        left_factor, right_factor = splat(x[sums + r]), splat(x[sums + 16 + r])
        for c in range(0, stride, 16):
            v = mul(mul(load(x, right + c), right_factor), load(weights, norms_at + stride + c))
            w = mul(load(x, left + c), left_factor)
            store(x, left + c, fma(w, load(weights, norms_at + c), v))


@njit(cache=True, nogil=True)
def add_embedding(x, at, stride, rows, tokens, cells, weights, table):
    """``x += table[token]``, where row r is the cell ``cells[r]``."""
    for r in range(rows):
        row, entry = at + r * stride, table + tokens[cells[r]] * stride
        for c in range(0, stride, 16):
            store(x, row + c, add(load(x, row + c), load(weights, entry + c)))


@njit(cache=True, nogil=True)
def look_up(x, at, stride, first, last, tokens, cells, weights, table):
    """``x = table[token]`` for rows ``first`` to ``last``."""
    for r in range(first, last):
        row, entry = at + r * stride, table + tokens[cells[r]] * stride
        for c in range(0, stride, 16):
            store(x, row + c, load(weights, entry + c))


@njit(cache=True, nogil=True)
def write_logits(x, at, stride, rows, cells, cap, logits):
    """``logits[cells[r]] = cap * tanh(x[r])``; x comes divided by the cap."""
    vocabulary = logits.shape[1]
    for r in range(rows):
        row = at + r * stride
        for c in range(0, vocabulary, 16):
            store(x, row + c, mul(tanh(load(x, row + c)), splat(cap)))
        for v in range(vocabulary):
            logits[cells[r], v] = x[row + v]
