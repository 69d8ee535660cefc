"""What is done to many runs at once is what numpy does to each."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from engine.kernels.simd import LANES, store
from engine.kernels.simd_runs import (
    column_maximum,
    normalise_8_runs,
    normalise_16_runs,
    sums_of_squares,
    transpose,
)

RNG = np.random.default_rng(0)
BEFORE = 3


@pytest.mark.parametrize("size", [16, 48])
def test_sixteen_runs_are_measured(size: int) -> None:
    @njit
    def measure(a, size, out):  # type: ignore[no-untyped-def]
        store(out, 0, sums_of_squares(a, BEFORE, size))

    a = RNG.normal(size=BEFORE + LANES * size).astype(np.float32)
    found = np.empty(LANES, np.float32)
    measure(a, size, found)
    expected = (a[BEFORE:].reshape(LANES, size) ** 2).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(("count", "normalise"), [(8, normalise_8_runs), (16, normalise_16_runs)])
def test_runs_are_normed_and_what_lies_around_them_is_left(count: int, normalise: object) -> None:
    eps = np.float32(0.01)

    @njit
    def norm(a):  # type: ignore[no-untyped-def]
        normalise(a, BEFORE, eps)  # type: ignore[operator]

    a = RNG.normal(size=BEFORE + count * LANES + 5).astype(np.float32)
    expected = a.copy()
    runs = expected[BEFORE:-5].reshape(count, LANES)
    runs /= np.sqrt((runs**2).mean(axis=1, keepdims=True) + eps)
    norm(a)
    np.testing.assert_allclose(a, expected, rtol=1e-6)
    assert (a[:BEFORE] == expected[:BEFORE]).all()
    assert (a[-5:] == expected[-5:]).all()


def test_picked_rows_are_transposed_and_measured() -> None:
    stride = 40

    @njit
    def turn(a, rows, out, squares):  # type: ignore[no-untyped-def]
        store(squares, 0, transpose(a, BEFORE, stride, rows, 1, out, 2))

    a = RNG.normal(size=BEFORE + stride * 30).astype(np.float32)
    rows = RNG.integers(30, size=1 + LANES)
    out, squares = np.zeros(2 + LANES * LANES, np.float32), np.empty(LANES, np.float32)
    turn(a, rows, out, squares)
    picked = a[BEFORE:].reshape(30, stride)[rows[1:], :LANES]
    assert (out[2:].reshape(LANES, LANES) == picked.T).all()
    np.testing.assert_allclose(squares, (picked**2).sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 11])
def test_the_largest_of_any_number_of_vectors(count: int) -> None:
    @njit
    def largest(a, count, out):  # type: ignore[no-untyped-def]
        store(out, 0, column_maximum(a, BEFORE, count))

    a = RNG.normal(size=BEFORE + LANES * count).astype(np.float32)
    found = np.empty(LANES, np.float32)
    largest(a, count, found)
    assert (found == a[BEFORE:].reshape(count, LANES).max(axis=0)).all()
