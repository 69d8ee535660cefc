"""A block of a matrix product runs as it was laid out for the machine's registers."""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.kernels.cpu_blocks import ROWS, plain_block


def test_the_loop_of_a_block_is_not_unrolled() -> None:
    @njit
    def multiply(a, panel, depth, c, rows):  # type: ignore[no-untyped-def]
        plain_block(a, 0, depth, panel, 0, depth, c, 0, 32, rows)

    a, panel, c = (np.zeros(size, np.float32) for size in (100, 3200, 32 * ROWS))
    multiply(a, panel, 5, c, 3)
    (code,) = multiply.inspect_llvm().values()
    sums = code.count("call <16 x float> @llvm.fma.v16f32")
    assert sums == 2 * sum(range(1, ROWS + 1))
