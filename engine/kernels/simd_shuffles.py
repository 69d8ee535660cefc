"""What crosses the lanes of vectors: shuffles, and the transposes and sums made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types

from engine.kernels.simd import BITS, LANES, Builder, Value, intrinsic, larger

_I32 = ir.IntType(32)


def shuffle(builder: Builder, a: Value, b: Value, picks: Sequence[int]) -> Value:
    """Lanes picked from ``a`` (0 to 15) and ``b`` (16 to 31)."""
    return builder.shuffle_vector(a, b, ir.Constant(BITS, [_I32(i) for i in picks]))


def _quarters(*within: int) -> tuple[int, ...]:
    """A pick that repeats in each quarter of four lanes; 4 to 7 are of the second vector."""
    return tuple(4 * q + (i if i < 4 else i + 12) for q in range(4) for i in within)


_LOW_SINGLES, _HIGH_SINGLES = _quarters(0, 4, 1, 5), _quarters(2, 6, 3, 7)
_LOW_PAIRS, _HIGH_PAIRS = _quarters(0, 1, 4, 5), _quarters(2, 3, 6, 7)
_EVEN_QUARTERS = tuple(4 * q + i for q in (0, 2, 4, 6) for i in range(4))
_ODD_QUARTERS = tuple(4 * q + i for q in (1, 3, 5, 7) for i in range(4))
_STAGES = (
    (_LOW_SINGLES, _HIGH_SINGLES),
    (_LOW_PAIRS, _HIGH_PAIRS),
    (_EVEN_QUARTERS, _ODD_QUARTERS),
    (_EVEN_QUARTERS, _ODD_QUARTERS),
)


def transposed(builder: Builder, rows: Sequence[Value]) -> list[Value]:
    """Sixteen vectors as the rows of a matrix -> its columns, in 64 shuffles."""
    singles = [
        shuffle(builder, a, b, picks)
        for a, b in zip(rows[::2], rows[1::2], strict=True)
        for picks in _STAGES[0]
    ]  # of two rows: columns 0 1, then 2 3, of each quarter
    quads = [
        [
            shuffle(builder, singles[4 * g + c // 2], singles[4 * g + 2 + c // 2], picks)
            for c, picks in zip(range(4), _STAGES[1] * 2, strict=True)
        ]
        for g in range(4)
    ]  # of four rows: column c of each quarter
    columns: list[Value] = [None] * LANES
    for c in range(4):
        for odd, picks in enumerate(_STAGES[2]):
            front = shuffle(builder, quads[0][c], quads[1][c], picks)
            back = shuffle(builder, quads[2][c], quads[3][c], picks)
            for upper, halves in enumerate(_STAGES[3]):
                columns[4 * (odd + 2 * upper) + c] = shuffle(builder, front, back, halves)
    return columns


def sums(builder: Builder, rows: Sequence[Value]) -> Value:
    """Sixteen vectors -> the vector of their sums."""
    for low, high in _STAGES:
        rows = [
            builder.fadd(shuffle(builder, a, b, low), shuffle(builder, a, b, high))
            for a, b in zip(rows[::2], rows[1::2], strict=True)
        ]
    return rows[0]


def _across(join: Callable[[Builder, Value, Value], Value]) -> Any:
    """A numba function that joins the lanes, halves first: float32."""

    @intrinsic
    def joined(context, vector):
        def codegen(context, builder, signature, arguments):
            vector = arguments[0]
            for half in (8, 4, 2, 1):
                picks = [(i + half) % LANES for i in range(LANES)]
                vector = join(builder, vector, shuffle(builder, vector, vector, picks))
            return builder.extract_element(vector, _I32(0))

        return types.float32(vector), codegen

    return joined


#: The sum and the largest of the lanes.
total, peak = _across(lambda builder, a, b: builder.fadd(a, b)), _across(larger)
