"""The innermost loops of matrix products on the CPU: a block of sums that stays in registers.

Each function here runs once over K for up to so many rows and one or two vectors of columns, and
ends in whatever the caller does next with the sums. Every element is summed in the order of K,
whatever the number of rows, so that a canvas never depends on its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types

from engine.kernels import simd
from engine.kernels.simd import LANES, Builder, Value
from engine.kernels.simd_functions import gelu

_WIDE = bool(llvm.get_host_cpu_features().get("avx512f"))
#: Rows of a block two vectors wide: 28 of AVX-512's 32 registers hold sums, or 12 of AVX2's 16.
ROWS = 14 if _WIDE else 3
#: Rows of a block one vector wide.
THIN_ROWS = 16 if _WIDE else 6

_I64 = ir.IntType(64)
#: What becomes of the sums of one row: its number and its vectors.
Ending = Callable[[int, Sequence[Value]], None]


def _accumulate(
    builder: Builder,
    rows: Sequence[Value],
    step: Value,
    columns: Callable[[Value], Value],
    depth: Value,
    vectors: int,
    unroll: int = 1,
) -> list[list[Value]]:
    """Emit ``sum over k of a[row, k] * b[k, column]``.

    Args:
        builder: where.
        rows: the address of each row of a.
        step: the distance of its elements.
        columns: the address of a row of b.
        depth: K, at least 1.
        vectors: the width of b.
        unroll: elements of a row taken in turn; divides K. Rows at unrelated addresses are more
            than a machine has registers for, so that each address is read again and again.
    """
    before = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(_I64)
    old = [[builder.phi(simd.VECTOR) for _ in range(vectors)] for _ in rows]
    ks = [builder.add(k, _I64(i)) for i in range(unroll)]
    b = []
    for from_b in map(columns, ks):
        parts = [builder.gep(from_b, [_I64(LANES * j)]) for j in range(vectors)]
        b.append([simd.read(builder, part) for part in parts])
    offsets = [builder.mul(each, step) for each in ks]
    new = []
    for row, sums in zip(rows, old, strict=True):
        for at, part in zip(offsets, b, strict=True):
            a = simd.broadcast(builder, builder.load(builder.gep(row, [at])))
            sums = [simd.multiply_add(builder, a, x, y) for x, y in zip(part, sums, strict=True)]  # noqa: PLW2901  # summed on
        new.append(sums)
    for phi, value in zip(chain(*old), chain(*new), strict=True):
        phi.add_incoming(simd.zeros(), before)
        phi.add_incoming(value, loop)
    following = builder.add(k, _I64(unroll))
    k.add_incoming(_I64(0), before)
    k.add_incoming(following, loop)
    again = builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)
    again.set_metadata("llvm.loop", _as_it_is(builder.module))
    builder.position_at_end(after)
    return new


def _as_it_is(module: ir.Module) -> Value:
    """What tells LLVM not to unroll a loop: its registers hold one turn, and two would be spilled.

    See ``llvm.loop.unroll.disable`` in LLVM's language reference; a loop's node names itself first.
    """
    disable = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    node = ir.MDValue(module, [disable], str(len(module.metadata)))
    node.operands = (node, disable)
    return node


def _for_count(builder: Builder, count: Value, most: int, emit: Callable[[int], None]) -> None:
    """Emit a case for each count from 1 to ``most``."""
    done = builder.append_basic_block("done")
    choice = builder.switch(count, done)
    for known in range(1, most + 1):
        case = builder.append_basic_block(f"rows{known}")
        choice.add_case(_I64(known), case)
        builder.position_at_end(case)
        emit(known)
        builder.branch(done)
    builder.position_at_end(done)


def _spread(builder: Builder, start: Value, distance: Value, count: int) -> list[Value]:
    """The addresses of ``count`` rows at one distance."""
    return [builder.gep(start, [builder.mul(distance, _I64(i))]) for i in range(count)]


def _picked(builder: Builder, start: Value, distance: Value, index: Value, i: Value) -> Value:
    """The address of the row that ``index[i]`` names."""
    row = builder.load(builder.gep(index, [i]))
    return builder.gep(start, [builder.mul(row, distance)])


def _weighted(*, activate: bool) -> Any:
    """A block of ``c[rows, 32] = a @ panel``, or of its gated half."""

    @simd.intrinsic
    def block(context, a, a_at, a_row, panel, panel_at, depth, c, c_at, c_row, rows):
        at = types.intp

        def codegen(context, builder, signature, arguments):
            a, a_at, a_row, panel, panel_at, depth, c, c_at, c_row, rows = arguments
            kinds = signature.args
            from_a = simd.pointer(context, builder, kinds[0], a, a_at)
            from_panel = simd.pointer(context, builder, kinds[3], panel, panel_at)
            to = simd.pointer(context, builder, kinds[6], c, c_at)

            def columns(k: Value) -> Value:
                return builder.gep(from_panel, [builder.mul(k, _I64(2 * LANES))])

            def emit(count: int) -> None:
                lines = _spread(builder, from_a, a_row, count)
                sums = _accumulate(builder, lines, _I64(1), columns, depth, 2)
                if activate:
                    sums = [[builder.fmul(gelu(builder, x), y)] for x, y in sums]
                for line, vectors in zip(_spread(builder, to, c_row, count), sums, strict=True):
                    for j, vector in enumerate(vectors):
                        simd.write(builder, vector, builder.gep(line, [_I64(LANES * j)]))

            _for_count(builder, rows, ROWS, emit)
            return context.get_dummy_value()

        return types.void(a, at, at, panel, at, at, c, at, at, at), codegen

    return block


#: ``c[rows, 32] = a[rows, depth] @ panel``, for 1 to ``ROWS`` rows.
plain_block = _weighted(activate=False)
#: ``c[rows, 16] = gelu(left) * right`` where ``left | right = a @ panel``.
gated_block = _weighted(activate=True)


@simd.intrinsic
def score_block(context, a, keys_at, stride, index, cells_at, queries_at, depth, out_at, rows):
    """Scores [rows, 16] of 1 to ``THIN_ROWS`` keys, picked by index, for sixteen queries.

    ``depth`` is a multiple of 4.
    """
    at = types.intp

    def codegen(context, builder, signature, arguments):
        a, keys_at, stride, index, cells_at, queries_at, depth, out_at, rows = arguments
        kinds = signature.args
        keys, queries, out = (
            simd.pointer(context, builder, kinds[0], a, x) for x in (keys_at, queries_at, out_at)
        )
        cells = simd.pointer(context, builder, kinds[3], index, cells_at)

        def columns(k: Value) -> Value:
            return builder.gep(queries, [builder.mul(k, _I64(LANES))])

        def emit(count: int) -> None:
            picked = [_picked(builder, keys, stride, cells, _I64(i)) for i in range(count)]
            sums = _accumulate(builder, picked, _I64(1), columns, depth, 1, unroll=4)
            for i, (vector,) in enumerate(sums):
                simd.write(builder, vector, builder.gep(out, [_I64(LANES * i)]))

        _for_count(builder, rows, THIN_ROWS, emit)
        return context.get_dummy_value()

    return types.void(a, at, at, index, at, at, at, at, at), codegen


@simd.intrinsic
def mix_block(
    context,
    a, scores_at, factors_at, values_at, stride, index, cells_at, keys, out_at, out_stride,
    queries_at, rows,
):  # fmt: skip
    """Values picked by index and weighted by transposed scores, times a factor a query.

    For 1 to ``THIN_ROWS`` queries, which ``index[queries_at]`` on names as rows of the output.
    """
    at = types.intp

    def codegen(context, builder, signature, arguments):
        (a, scores_at, factors_at, values_at, stride, index, cells_at, keys, out_at, out_stride,
         queries_at, rows) = arguments  # fmt: skip
        kinds = signature.args
        scores, factors, values, out = (
            simd.pointer(context, builder, kinds[0], a, x)
            for x in (scores_at, factors_at, values_at, out_at)
        )
        cells, queries = (
            simd.pointer(context, builder, kinds[5], index, x) for x in (cells_at, queries_at)
        )

        def columns(k: Value) -> Value:
            return _picked(builder, values, stride, cells, k)

        def emit(count: int) -> None:
            lines = _spread(builder, scores, _I64(1), count)
            sums = _accumulate(builder, lines, _I64(LANES), columns, keys, 1)
            for i, (vector,) in enumerate(sums):
                factor = builder.load(builder.gep(factors, [_I64(i)]))
                scaled = builder.fmul(vector, simd.broadcast(builder, factor))
                target = _picked(builder, out, out_stride, queries, _I64(i))
                simd.write(builder, scaled, target)

        _for_count(builder, rows, THIN_ROWS, emit)
        return context.get_dummy_value()

    return types.void(a, at, at, at, at, index, at, at, at, at, at, at), codegen
