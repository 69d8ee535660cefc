"""What happens between the matrix products on the CPU: norms and residual sums, row by row.

Matrices lie in one flat scratch array ``x``; a matrix is given by where it begins. Rows are
``stride`` apart, a multiple of 16; their first ``size`` elements count and the rest are zero.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from engine.kernels.simd import add, fma, load, mul, splat, store, tanh, total

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(cache=True, nogil=True)
def _inverse_norm(x, row, stride, size, eps):  # type: ignore[no-untyped-def]
    """``1 / rms`` of one row."""
    squares = splat(_ZERO)
    for c in range(0, stride, 16):
        v = load(x, row + c)
        squares = fma(v, v, squares)
    return _from_squares(squares, size, eps)


@njit(cache=True, nogil=True)
def _from_squares(squares, size, eps):  # type: ignore[no-untyped-def]
    return _ONE / np.float32(math.sqrt(total(squares) / np.float32(size) + eps))


@njit(cache=True, nogil=True)
def _scale(x, row, out, stride, factor):  # type: ignore[no-untyped-def]
    for c in range(0, stride, 16):
        store(x, out + c, mul(load(x, row + c), splat(factor)))


@njit(cache=True, nogil=True)
def scale_by_norm(x, at, stride, measured, measured_stride, rows, size, eps):  # type: ignore[no-untyped-def]
    """Divide each row by the root mean square, over ``size``, of its row in another matrix."""
    for r in range(rows):
        factor = _inverse_norm(x, measured + r * measured_stride, measured_stride, size, eps)
        _scale(x, at + r * stride, at + r * stride, stride, factor)


@njit(cache=True, nogil=True)
def normalise(x, at, out, stride, rows, size, eps):  # type: ignore[no-untyped-def]
    """``out = x / rms(x)``, row by row; both may be one matrix."""
    for r in range(rows):
        factor = _inverse_norm(x, at + r * stride, stride, size, eps)
        _scale(x, at + r * stride, out + r * stride, stride, factor)


@njit(cache=True, nogil=True)
def add_attention(x, residual, mixed, normed, stride, rows, size, eps, weights, norm_at):  # type: ignore[no-untyped-def]
    """``residual += norm(mixed)``, then ``normed = residual / rms(residual)``."""
    for r in range(rows):
        row, extra = residual + r * stride, mixed + r * stride
        factor = splat(_inverse_norm(x, extra, stride, size, eps))
        squares = splat(_ZERO)
        for c in range(0, stride, 16):
            v = fma(mul(load(x, extra + c), factor), load(weights, norm_at + c), load(x, row + c))
            store(x, row + c, v)
            squares = fma(v, v, squares)
        _scale(x, row, normed + r * stride, stride, _from_squares(squares, size, eps))


@njit(cache=True, nogil=True)
def add_feedforward(  # type: ignore[no-untyped-def]
    x, residual, dense, expert, normed, stride, rows, size, eps, weights, norms_at
):
    """``residual = scalar (residual + norm(norm(dense) + norm(expert)))``; ``normed`` of that.

    At ``norms_at``: the weights of the norms of dense and expert, that of their sum times the
    scalar, and a row of the scalar alone.
    """
    for r in range(rows):
        row, both = residual + r * stride, dense + r * stride
        squares = _join(x, both, expert + r * stride, stride, size, eps, weights, norms_at)
        factor = splat(_from_squares(squares, size, eps))
        squares = splat(_ZERO)
        for c in range(0, stride, 16):
            v = mul(load(x, row + c), load(weights, norms_at + 3 * stride + c))
            weight = load(weights, norms_at + 2 * stride + c)
            v = fma(mul(load(x, both + c), factor), weight, v)
            store(x, row + c, v)
            squares = fma(v, v, squares)
        _scale(x, row, normed + r * stride, stride, _from_squares(squares, size, eps))


@njit(cache=True, nogil=True)
def _join(x, dense, expert, stride, size, eps, weights, norms_at):  # type: ignore[no-untyped-def]
    """``dense = norm(dense) + norm(expert)`` for one row; returns its squares, sixteen sums."""
    dense_factor = splat(_inverse_norm(x, dense, stride, size, eps))
    expert_factor = splat(_inverse_norm(x, expert, stride, size, eps))
    squares = splat(_ZERO)
    for c in range(0, stride, 16):
        v = mul(mul(load(x, expert + c), expert_factor), load(weights, norms_at + stride + c))
        v = fma(mul(load(x, dense + c), dense_factor), load(weights, norms_at + c), v)
        store(x, dense + c, v)
        squares = fma(v, v, squares)
    return squares


@njit(cache=True, nogil=True)
def add_embedding(x, at, stride, rows, tokens, cells, weights, table):  # type: ignore[no-untyped-def]
    """``x += table[token]``, where row r is the cell ``cells[r]``."""
    for r in range(rows):
        row, entry = at + r * stride, table + tokens[cells[r]] * stride
        for c in range(0, stride, 16):
            store(x, row + c, add(load(x, row + c), load(weights, entry + c)))


@njit(cache=True, nogil=True)
def look_up(x, at, stride, first, last, tokens, cells, weights, table):  # type: ignore[no-untyped-def]
    """``x = table[token]`` for rows ``first`` to ``last``."""
    for r in range(first, last):
        row, entry = at + r * stride, table + tokens[cells[r]] * stride
        for c in range(0, stride, 16):
            store(x, row + c, load(weights, entry + c))


@njit(cache=True, nogil=True)
def write_logits(x, at, stride, rows, cells, cap, logits):  # type: ignore[no-untyped-def]
    """``logits[cells[r]] = cap * tanh(x[r])``; x comes divided by the cap."""
    vocabulary = logits.shape[1]
    for r in range(rows):
        row = at + r * stride
        for c in range(0, vocabulary, 16):
            store(x, row + c, mul(tanh(load(x, row + c)), splat(cap)))
        for v in range(vocabulary):
            logits[cells[r], v] = x[row + v]
