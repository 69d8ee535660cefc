"""What crosses lanes goes to the lane it should."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from engine.kernels.simd import LANES, Builder, intrinsic, load, pointer, read, write
from engine.kernels.simd_shuffles import peak, sums, total, transposed


@intrinsic
def transpose_and_sum(context, a, out, summed):  # type: ignore[no-untyped-def]
    def codegen(context, builder: Builder, signature, arguments):  # type: ignore[no-untyped-def]
        def place(which: int, row: int):  # type: ignore[no-untyped-def]
            at = context.get_constant(types.intp, LANES * row)
            return pointer(context, builder, signature.args[which], arguments[which], at)

        rows = [read(builder, place(0, i)) for i in range(LANES)]
        for i, column in enumerate(transposed(builder, rows)):
            write(builder, column, place(1, i))
        write(builder, sums(builder, rows), place(2, 0))
        return context.get_dummy_value()

    return types.void(a, out, summed), codegen


def test_a_matrix_is_transposed_and_its_rows_are_summed() -> None:
    @njit
    def use(a, out, summed):  # type: ignore[no-untyped-def]
        transpose_and_sum(a, out, summed)

    matrix = np.random.default_rng(0).permutation(LANES * LANES).astype(np.float32)
    columns, summed = np.empty_like(matrix), np.empty(LANES, np.float32)
    use(matrix, columns, summed)
    square = matrix.reshape(LANES, LANES)
    assert (columns.reshape(LANES, LANES) == square.T).all()
    assert (summed == square.sum(axis=1)).all()


def test_the_total_and_the_peak_are_of_all_lanes() -> None:
    @njit
    def join(a):  # type: ignore[no-untyped-def]
        return total(load(a, 0)), peak(load(a, 0))

    for i in range(LANES):
        row = np.full(LANES, -8, np.float32)
        row[i] = -1
        assert join(row) == (-8 * (LANES - 1) - 1, -1)
