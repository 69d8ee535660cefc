"""Elementary functions of vectors are as near to the true ones as they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numba import njit

from engine.kernels.simd import elementwise, load, store
from engine.kernels.simd_functions import exp2, gelu, log, rsqrt, tanh

Doubles = npt.NDArray[np.float64]
ALL_SCALES = np.geomspace(1.2e-38, 3.4e38, 1 << 16)
BOTH_SIGNS = np.concatenate([-np.geomspace(1e-6, 30, 1 << 15), np.geomspace(1e-6, 30, 1 << 15)])


def true_gelu(x: Doubles) -> Doubles:
    """The tanh form, as a logistic function, which loses nothing where x is far below 0."""
    return x / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


@pytest.mark.parametrize(
    ("function", "true", "points", "error"),
    [
        (exp2, np.exp2, np.linspace(-126, 127, 1 << 16), 2e-7),
        (rsqrt, lambda x: x**-0.5, ALL_SCALES, 3e-7),
        (tanh, np.tanh, BOTH_SIGNS, 3e-7),
        (log, np.log, ALL_SCALES, 2e-7),
        (elementwise(1, gelu), true_gelu, BOTH_SIGNS[BOTH_SIGNS > -3], 1e-6),
    ],
    ids=["exp2", "rsqrt", "tanh", "log", "gelu"],
)
def test_a_function_is_as_near_as_it_says(
    function: Any, true: Callable[[Doubles], Doubles], points: Doubles, error: float
) -> None:
    @njit
    def map_over(x, out):  # type: ignore[no-untyped-def]
        for at in range(0, len(x), 16):
            store(out, at, function(load(x, at)))

    x = points.astype(np.float32)[: len(points) // 16 * 16]
    found = np.empty_like(x)
    map_over(x, found)
    expected = true(x.astype(np.float64))
    assert (np.abs(found - expected) <= error * np.abs(expected)).all()
