"""Matrix products with frozen weights on the CPU: packed once, read in order ever after.

A weight [K, N] is cut into panels of 32 columns, each stored row by row. A product keeps a block
of up to ``ROWS`` x 32 results in registers while it runs over K (Goto and van de Geijn 2008,
"Anatomy of high-performance matrix multiplication"). On tiles that fit the cache that is as fast
as MKL, needs no packing at run time, can end in an activation, and sums every element in the same
order whatever the number of rows, so that a canvas never depends on its batch.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types

from engine.kernels import simd

Floats = npt.NDArray[np.float32]

PANEL = 2 * simd.LANES
_WIDE = bool(llvm.get_host_cpu_features().get("avx512f"))
#: Rows of a block: 28 of AVX-512's 32 registers hold sums, or 12 of AVX2's 16.
ROWS = 14 if _WIDE else 3
#: Rows of a block one vector wide.
THIN_ROWS = 16 if _WIDE else 6


def padded(size: int, step: int = PANEL) -> int:
    """``size`` rounded up to a multiple of ``step``."""
    return -(-size // step) * step


def pack(weight: Floats) -> Floats:
    """Lay a weight [K, N] out in panels: flat, N padded with zeros to a multiple of 32."""
    depth, width = weight.shape
    wide = np.zeros((depth, padded(width)), np.float32)
    wide[:, :width] = weight
    return np.ascontiguousarray(wide.reshape(depth, -1, PANEL).transpose(1, 0, 2)).ravel()


def pack_gated(gate: Floats, up: Floats) -> Floats:
    """Lay two weights [K, I] out for ``gated``: each panel holds 16 columns of either."""
    depth, width = gate.shape
    both = np.zeros((depth, padded(width, simd.LANES) // simd.LANES, 2, simd.LANES), np.float32)
    for side, weight in enumerate((gate, up)):
        wide = np.zeros((depth, both.shape[1] * simd.LANES), np.float32)
        wide[:, :width] = weight
        both[:, :, side] = wide.reshape(depth, -1, simd.LANES)
    return pack(both.reshape(depth, -1))


def _sums(builder: Any, a: Any, b: Any, depth: Any, rows: int, vectors: int) -> list[list[Any]]:
    """Emit the loop over K; ``a``: address, row stride, K stride; ``b``: address, K stride."""
    a_at, a_row, a_step = a
    b_at, b_step = b
    before = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(ir.IntType(64))
    k.add_incoming(k.type(0), before)
    old = [[builder.phi(simd.zeros().type) for _ in range(vectors)] for _ in range(rows)]
    b_row = builder.gep(b_at, [builder.mul(k, b_step)])
    columns = [
        simd.read(builder, builder.gep(b_row, [k.type(simd.LANES * j)])) for j in range(vectors)
    ]
    a_column = builder.mul(k, a_step)
    new = []
    for i in range(rows):
        at = builder.add(a_column, builder.mul(a_row, k.type(i)))
        scalar = simd.broadcast(builder, builder.load(builder.gep(a_at, [at])))
        new.append(
            [simd.multiply_add(builder, scalar, x, y) for x, y in zip(columns, old[i], strict=True)]
        )
    for phi, value in zip(chain(*old), chain(*new), strict=True):
        phi.add_incoming(simd.zeros(), before)
        phi.add_incoming(value, loop)
    following = builder.add(k, k.type(1))
    k.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    builder.position_at_end(after)
    return new


def _block(vectors: int, most_rows: int, *, activate: bool = False) -> Any:
    """A numba function: ``c[rows, 16 vectors] = a @ b`` for up to ``most_rows`` rows.

    With ``activate`` the first vector gates the second, and one vector a row is written.
    """

    @simd.intrinsic
    def block(context, a, a_at, a_row, a_step, b, b_at, b_step, c, c_at, c_row, rows, depth):  # type: ignore[no-untyped-def]  # noqa: ARG001
        integers = (types.intp,) * 3
        signature = types.void(
            a, *integers, b, *integers[:2], c, *integers[:2], types.intp, types.intp
        )

        def codegen(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            a, a_at, a_row, a_step, b, b_at, b_step, c, c_at, c_row, rows, depth = arguments
            kinds = signature.args
            a_from = simd.pointer(context, builder, kinds[0], a, a_at)
            b_from = simd.pointer(context, builder, kinds[4], b, b_at)
            c_from = simd.pointer(context, builder, kinds[7], c, c_at)
            done = builder.append_basic_block("done")
            choice = builder.switch(rows, done)
            for count in range(1, most_rows + 1):
                case = builder.append_basic_block(f"rows{count}")
                choice.add_case(rows.type(count), case)
                builder.position_at_end(case)
                results = _sums(
                    builder, (a_from, a_row, a_step), (b_from, b_step), depth, count, vectors
                )
                if activate:
                    results = [[builder.fmul(simd.gelu(builder, x), y)] for x, y in results]
                for i, row in enumerate(results):
                    for j, vector in enumerate(row):
                        at = builder.add(
                            builder.mul(c_row, rows.type(i)), rows.type(simd.LANES * j)
                        )
                        simd.write(builder, vector, builder.gep(c_from, [at]))
                builder.branch(done)
            builder.position_at_end(done)
            return context.get_dummy_value()

        return signature, codegen

    return block


_plain_block = _block(2, ROWS)
_gated_block = _block(2, ROWS, activate=True)
_thin_block = _block(1, THIN_ROWS)


@njit(cache=True, nogil=True)
def matmul(a, a_at, a_row, weight, w_at, depth, panels, c, c_at, c_row, rows):  # type: ignore[no-untyped-def]
    """``c[rows, 32 panels] = a[rows, depth] @ weight``.

    ``x_at`` is where a matrix begins in its flat array, ``x_row`` the distance of its rows;
    ``weight`` comes from ``pack``.
    """
    blocks = -(-rows // ROWS)
    for panel in range(panels):
        first = 0
        for block in range(blocks):
            count = -(-(rows - first) // (blocks - block))
            _plain_block(
                a, a_at + first * a_row, a_row, 1, weight, w_at + panel * depth * PANEL, PANEL,
                c, c_at + first * c_row + panel * PANEL, c_row, count, depth,
            )  # fmt: skip
            first += count


@njit(cache=True, nogil=True)
def gated(a, a_at, a_row, weight, w_at, depth, panels, c, c_at, c_row, rows):  # type: ignore[no-untyped-def]
    """``c[rows, 16 panels] = gelu(a @ gate) * (a @ up)``; ``weight`` comes from ``pack_gated``."""
    blocks = -(-rows // ROWS)
    for panel in range(panels):
        first = 0
        for block in range(blocks):
            count = -(-(rows - first) // (blocks - block))
            _gated_block(
                a, a_at + first * a_row, a_row, 1, weight, w_at + panel * depth * PANEL, PANEL,
                c, c_at + first * c_row + panel * 16, c_row, count, depth,
            )  # fmt: skip
            first += count


@njit(cache=True, nogil=True)
def product(a, a_at, a_row, a_step, b, b_at, b_step, depth, c, c_at, c_row, rows):  # type: ignore[no-untyped-def]
    """``c[rows, 16] = a[rows, depth] @ b[depth, 16]``, with any strides: no weights, not packed."""
    blocks = -(-rows // THIN_ROWS)
    first = 0
    for block in range(blocks):
        count = -(-(rows - first) // (blocks - block))
        _thin_block(
            a, a_at + first * a_row, a_row, a_step, b, b_at, b_step,
            c, c_at + first * c_row, c_row, count, depth,
        )  # fmt: skip
        first += count
