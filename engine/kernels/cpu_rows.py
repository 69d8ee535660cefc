"""What happens between the matrix products on the CPU: norms and residual sums, row by row.

Matrices lie in one flat scratch array: ``x_at`` is where one begins, ``stride`` the distance of
rows, a multiple of 16 of which the first ``size`` elements count and the rest are zero. The
weights of norms lie in the flat weight array likewise.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from engine.kernels.simd import add, fma, load, mul, splat, store, tanh, total

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(cache=True, nogil=True, inline="always")
def _inverse_norm(squares, size, eps):  # type: ignore[no-untyped-def]
    return _ONE / np.float32(math.sqrt(total(squares) / np.float32(size) + eps))


@njit(cache=True, nogil=True)
def scale_rows(x, x_at, x_stride, width, measure_at, measure_stride, rows, size, eps):  # type: ignore[no-untyped-def]
    """Divide each row of x by the root mean square of its row in another matrix.

    ``width`` elements of x are scaled; the mean is over ``size`` although the measured rows have
    ``measure_stride`` elements.
    """
    for r in range(rows):
        squares = splat(_ZERO)
        row = measure_at + r * measure_stride
        for c in range(0, measure_stride, 16):
            v = load(x, row + c)
            squares = fma(v, v, squares)
        factor = splat(_inverse_norm(squares, size, eps))
        row = x_at + r * x_stride
        for c in range(0, width, 16):
            store(x, row + c, mul(load(x, row + c), factor))


@njit(cache=True, nogil=True)
def normalise(x, x_at, out_at, stride, rows, size, eps):  # type: ignore[no-untyped-def]
    """``out = x / rms(x)``, row by row; ``out`` may be ``x``."""
    for r in range(rows):
        row = x_at + r * stride
        squares = splat(_ZERO)
        for c in range(0, stride, 16):
            v = load(x, row + c)
            squares = fma(v, v, squares)
        factor = splat(_inverse_norm(squares, size, eps))
        out = out_at + r * stride
        for c in range(0, stride, 16):
            store(x, out + c, mul(load(x, row + c), factor))


@njit(cache=True, nogil=True)
def add_attention(x, x_at, o_at, out_at, stride, rows, size, eps, weights, norm_at):  # type: ignore[no-untyped-def]
    """``x += norm(o)``, then ``out = x / rms(x)``."""
    for r in range(rows):
        row, o = x_at + r * stride, o_at + r * stride
        squares = splat(_ZERO)
        for c in range(0, stride, 16):
            v = load(x, o + c)
            squares = fma(v, v, squares)
        factor = splat(_inverse_norm(squares, size, eps))
        squares = splat(_ZERO)
        for c in range(0, stride, 16):
            v = fma(mul(load(x, o + c), factor), load(weights, norm_at + c), load(x, row + c))
            store(x, row + c, v)
            squares = fma(v, v, squares)
        factor = splat(_inverse_norm(squares, size, eps))
        out = out_at + r * stride
        for c in range(0, stride, 16):
            store(x, out + c, mul(load(x, row + c), factor))


@njit(cache=True, nogil=True)
def add_feedforward(  # type: ignore[no-untyped-def]
    x, x_at, dense_at, expert_at, out_at, stride, rows, size, eps, weights, norms_at
):
    """``x = scalar (x + norm(norm(dense) + norm(expert)))``, then ``out = x / rms(x)``.

    At ``norms_at``: the weights of the three norms (of dense, of expert, of the sum, the last
    times the scalar), then a row of which every element is the scalar.
    """
    expert_norm, sum_norm, scalar = norms_at + stride, norms_at + 2 * stride, norms_at + 3 * stride
    for r in range(rows):
        row, out = x_at + r * stride, out_at + r * stride
        dense, expert = dense_at + r * stride, expert_at + r * stride
        dense_squares, expert_squares = splat(_ZERO), splat(_ZERO)
        for c in range(0, stride, 16):
            v, w = load(x, dense + c), load(x, expert + c)
            dense_squares = fma(v, v, dense_squares)
            expert_squares = fma(w, w, expert_squares)
        dense_factor = splat(_inverse_norm(dense_squares, size, eps))
        expert_factor = splat(_inverse_norm(expert_squares, size, eps))
        squares = splat(_ZERO)
        for c in range(0, stride, 16):
            v = mul(mul(load(x, expert + c), expert_factor), load(weights, expert_norm + c))
            v = fma(mul(load(x, dense + c), dense_factor), load(weights, norms_at + c), v)
            store(x, dense + c, v)
            squares = fma(v, v, squares)
        factor = splat(_inverse_norm(squares, size, eps))
        squares = splat(_ZERO)
        for c in range(0, stride, 16):
            v = mul(load(x, row + c), load(weights, scalar + c))
            v = fma(mul(load(x, dense + c), factor), load(weights, sum_norm + c), v)
            store(x, row + c, v)
            squares = fma(v, v, squares)
        factor = splat(_inverse_norm(squares, size, eps))
        for c in range(0, stride, 16):
            store(x, out + c, mul(load(x, row + c), factor))


@njit(cache=True, nogil=True)
def add_embedding(x, x_at, stride, rows, tokens, cells, weights, table_at):  # type: ignore[no-untyped-def]
    """``x += table[token]``, where row r is the cell ``cells[r]``."""
    for r in range(rows):
        row, entry = x_at + r * stride, table_at + tokens[cells[r]] * stride
        for c in range(0, stride, 16):
            store(x, row + c, add(load(x, row + c), load(weights, entry + c)))


@njit(cache=True, nogil=True)
def look_up(x, x_at, stride, first, last, tokens, cells, weights, table_at):  # type: ignore[no-untyped-def]
    """``x = table[token]`` for rows ``first`` to ``last``."""
    for r in range(first, last):
        row, entry = x_at + r * stride, table_at + tokens[cells[r]] * stride
        for c in range(0, stride, 16):
            store(x, row + c, load(weights, entry + c))


@njit(cache=True, nogil=True)
def write_logits(x, x_at, stride, rows, cells, cap, logits):  # type: ignore[no-untyped-def]
    """``logits[cells[r]] = cap * tanh(x[r])``; x has been divided by the cap."""
    vocabulary = logits.shape[1]
    factor = splat(cap)
    for r in range(rows):
        row = x_at + r * stride
        for c in range(0, vocabulary, 16):
            store(x, row + c, mul(tanh(load(x, row + c)), factor))
        cell = cells[r]
        for v in range(vocabulary):
            logits[cell, v] = x[row + v]
