"""What is done at once to many runs of an array: measured, normed, transposed, compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types

from engine.kernels.simd import (
    LANES,
    VECTOR,
    Value,
    broadcast,
    constant,
    intrinsic,
    lanes,
    larger,
    multiply_add,
    pointer,
    read,
    write,
    zeros,
)
from engine.kernels.simd_functions import inverse_root
from engine.kernels.simd_shuffles import shuffle, sums, transposed

_I64 = ir.IntType(64)


@intrinsic
def sums_of_squares(context, array, at, size):
    """The vector of the squared lengths of sixteen consecutive runs of ``size`` elements.

    ``size`` is a multiple of 16.
    """

    def codegen(context, builder, signature, arguments):
        array, at, size = arguments
        start = pointer(context, builder, signature.args[0], array, at)
        before = builder.block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(_I64)
        k.add_incoming(_I64(0), before)
        totals = []
        so_far = [builder.phi(VECTOR) for _ in range(LANES)]
        for i, old in enumerate(so_far):
            offset = builder.add(k, builder.mul(size, _I64(i)))
            x = read(builder, builder.gep(start, [offset]))
            totals.append(multiply_add(builder, x, x, old))
            old.add_incoming(zeros(), before)
            old.add_incoming(totals[-1], loop)
        following = builder.add(k, _I64(LANES))
        k.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, size), loop, after)
        builder.position_at_end(after)
        return sums(builder, totals)

    return lanes(array, types.intp, types.intp), codegen


def _normaliser(count: int) -> Any:
    """A numba function that norms ``count`` consecutive runs of sixteen elements in place."""

    @intrinsic
    def normalise_runs(context, array, at, eps):
        def codegen(context, builder, signature, arguments):
            array, at, eps = arguments
            start = pointer(context, builder, signature.args[0], array, at)
            places = [builder.gep(start, [_I64(LANES * i)]) for i in range(count)]
            runs = [read(builder, place) for place in places]
            squares = [builder.fmul(run, run) for run in runs] + [zeros()] * (LANES - count)
            share = constant(1 / LANES)
            mean = multiply_add(builder, sums(builder, squares), share, broadcast(builder, eps))
            factors = inverse_root(builder, mean)
            for i, (run, place) in enumerate(zip(runs, places, strict=True)):
                factor = shuffle(builder, factors, factors, [i] * LANES)
                write(builder, builder.fmul(run, factor), place)
            return context.get_dummy_value()

        return types.void(array, types.intp, types.float32), codegen

    return normalise_runs


#: Divide each of 8 or 16 consecutive runs of 16 elements by its root mean square.
normalise_8_runs, normalise_16_runs = _normaliser(8), _normaliser(16)


@intrinsic
def transpose(context, array, at, stride, rows, rows_at, out, out_at):
    """Sixteen elements of sixteen rows -> sixteen vectors of one element a row each.

    Row ``i`` begins at ``at + stride * rows[rows_at + i]``; the vectors go to ``out_at`` on.
    Returns the rows' sums of squares, one a lane.
    """
    number = types.intp

    def codegen(context, builder, signature, arguments):
        array, at, stride, rows, rows_at, out, out_at = arguments
        kinds = signature.args
        start = pointer(context, builder, kinds[0], array, at)
        index = pointer(context, builder, kinds[3], rows, rows_at)
        target = pointer(context, builder, kinds[5], out, out_at)
        vectors = []
        for i in range(LANES):
            row = builder.load(builder.gep(index, [_I64(i)]))
            vectors.append(read(builder, builder.gep(start, [builder.mul(row, stride)])))
        squares = [zeros()] * 4
        for i, column in enumerate(transposed(builder, vectors)):
            write(builder, column, builder.gep(target, [_I64(LANES * i)]))
            squares[i % 4] = multiply_add(builder, column, column, squares[i % 4])
        return _reduce(squares, builder.fadd)

    return lanes(array, number, number, rows, number, out, number), codegen


@intrinsic
def column_maximum(context, array, at, count):
    """The largest of ``count`` vectors, lane by lane, four at a time to keep both ports busy."""

    def codegen(context, builder, signature, arguments):
        array, at, count = arguments
        start = pointer(context, builder, signature.args[0], array, at)
        before = builder.block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        last = builder.sub(count, _I64(1))
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(_I64)
        old = [builder.phi(VECTOR) for _ in range(4)]
        new = []
        for i, top in enumerate(old):
            place = builder.add(k, _I64(i))
            inside = builder.select(builder.icmp_signed("<", place, last), place, last)
            value = read(builder, builder.gep(start, [builder.mul(inside, _I64(LANES))]))
            new.append(larger(builder, value, top))
            top.add_incoming(constant(float("-inf")), before)
            top.add_incoming(new[-1], loop)
        following = builder.add(k, _I64(4))
        k.add_incoming(_I64(0), before)
        k.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        return _reduce(new, lambda a, b: larger(builder, a, b))

    return lanes(array, types.intp, types.intp), codegen


def _reduce(values: Sequence[Value], join: Callable[..., Value]) -> Value:
    """Four values joined pairwise."""
    a, b, c, d = values
    return join(join(a, b), join(c, d))
