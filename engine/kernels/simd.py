"""Sixteen float32 lanes as a numba type, and the few operations that the CPU kernels need.

numba leaves vectorising to LLVM, which on current Xeons prefers half of the machine's width and
keeps no tile of a matrix product in registers. Here a value *is* a vector: ``load``, ``fma``,
``store``. LLVM lowers it to whatever the machine has, AVX-512, AVX2 or NEON.

Nothing is reassociated: an operation rounds the same wherever its row stands in a batch.
Arrays are flat, float32 and contiguous; positions in them count elements. There are no bounds
checks. A change of this file has all kernels compiled anew: see
``engine.kernels.code_cache``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import models, register_model

LANES = 16

_F32, _I32, _I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_F32, LANES)
_BITS = ir.VectorType(_I32, LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES)

Builder = Any  # llvmlite carries no types
Value = Any
#: numba's own annotation shows an intrinsic's compile-time arguments, not those of a call.
intrinsic: Any = extending.intrinsic


class LanesType(types.Type):
    """The numba type of a vector."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


lanes = LanesType()


def pointer(context: Any, builder: Builder, kind: Any, array: Value, at: Value) -> Value:
    """The address of element ``at`` of a flat array, in LLVM."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [at])


def read(builder: Builder, address: Value) -> Value:
    """The vector at an address of any alignment."""
    vector = builder.load(builder.bitcast(address, _VECTOR.as_pointer()))
    vector.align = 4
    return vector


def write(builder: Builder, vector: Value, address: Value) -> None:
    """Put a vector at an address of any alignment."""
    builder.store(vector, builder.bitcast(address, _VECTOR.as_pointer())).align = 4


def broadcast(builder: Builder, scalar: Value) -> Value:
    """The vector whose lanes all hold ``scalar``."""
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, scalar, _I32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_BITS, None))


def constant(value: float) -> Value:
    """The constant vector of ``value``, which must be a float32 exactly or is rounded to one."""
    return ir.Constant(_VECTOR, [_F32(value)] * LANES)


def multiply_add(builder: Builder, a: Value, b: Value, c: Value) -> Value:
    """``a * b + c`` with one rounding."""
    return _call(builder, "llvm.fma.v16f32", [a, b, c])


def zeros() -> Value:
    """The zero vector."""
    return ir.Constant(_VECTOR, None)


def _call(builder: Builder, name: str, arguments: Sequence[Value]) -> Value:
    """Call an LLVM intrinsic, declaring it once a module."""
    module = builder.module
    known = module.globals.get(name)
    if known is None:
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
        known = ir.Function(module, kind, name)
    return builder.call(known, arguments)


def _integers(value: int) -> Value:
    return ir.Constant(_BITS, [_I32(value)] * LANES)


def power_of_two(builder: Builder, t: Value) -> Value:
    """``2 ** t`` to 2e-7, for t in [-126, 127]: a polynomial on [-1/2, 1/2], then the exponent.

    The sum with 1.5 * 2**23 rounds t to an integer and leaves it in the low bits.
    """
    magic = constant(12582912.0)
    shifted = builder.fadd(t, magic)
    fraction = builder.fsub(t, builder.fsub(shifted, magic))
    value = constant(_EXP2[-1])
    for coefficient in reversed(_EXP2[:-1]):
        value = multiply_add(builder, value, fraction, constant(coefficient))
    exponent = builder.shl(builder.bitcast(shifted, _BITS), _integers(23))
    return builder.bitcast(builder.add(builder.bitcast(value, _BITS), exponent), _VECTOR)


#: 2**x on [-1/2, 1/2] with value 1 at 0 and the least relative error, 9.1e-8 (by Lawson's method).
_EXP2 = (1.0, 0.69314698, 0.24022242, 0.055507337, 0.0096715127, 0.0013264727)


def inverse_root(builder: Builder, x: Value) -> Value:
    """``x ** -0.5`` to 3e-7 for normal positive x: a guess from the bits, then Newton's steps."""
    half = builder.lshr(builder.bitcast(x, _BITS), _integers(1))
    y = builder.bitcast(builder.sub(_integers(0x5F375A86), half), _VECTOR)
    minus = builder.fmul(x, constant(-0.5))
    for _ in range(3):
        slope = multiply_add(builder, minus, builder.fmul(y, y), constant(1.5))
        y = builder.fmul(y, slope)
    return y


def larger(builder: Builder, a: Value, b: Value) -> Value:
    """The larger of two, lane by lane."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def smaller(builder: Builder, a: Value, b: Value) -> Value:
    """The smaller of two, lane by lane."""
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def gelu(builder: Builder, x: Value) -> Value:
    """The tanh form of gelu, as ``x * sigmoid(2 sqrt(2 / pi) (x + 0.044715 x**3))``.

    Divided by the machine: its divider works while the next multiplications go on.
    """
    square = builder.fmul(x, x)
    slope = multiply_add(builder, square, constant(-0.10294324), constant(-2.3022082))
    t = builder.fmul(x, slope)
    t = larger(builder, smaller(builder, t, constant(64.0)), constant(-64.0))
    below = builder.fadd(power_of_two(builder, t), constant(1.0))
    return builder.fdiv(x, below)


def hyperbolic_tangent(builder: Builder, x: Value) -> Value:
    """The hyperbolic tangent to 3e-7: Cephes' polynomial near 0, by exponentials elsewhere."""
    square = builder.fmul(x, x)
    near = constant(_TANH[-1])
    for coefficient in reversed(_TANH[:-1]):
        near = multiply_add(builder, near, square, constant(coefficient))
    near = multiply_add(builder, builder.fmul(near, square), x, x)
    t = builder.fmul(x, constant(-2.8853901))
    t = larger(builder, smaller(builder, t, constant(64.0)), constant(-64.0))
    falling = power_of_two(builder, t)
    far = builder.fdiv(builder.fsub(constant(1.0), falling), builder.fadd(falling, constant(1.0)))
    is_near = builder.fcmp_ordered("<", square, constant(0.390625))
    return builder.select(is_near, near, far)


_TANH = (-0.33333282, 0.13331442, -0.053739716, 0.020639089, -0.0057049887)


def natural_logarithm(builder: Builder, x: Value) -> Value:
    """``log x`` to 2e-7 for normal positive x: Cephes' ``logf`` on [sqrt(1/2), sqrt(2)]."""
    bits = builder.bitcast(x, _BITS)
    exponent = builder.ashr(builder.sub(bits, _integers(0x3F3504F3)), _integers(23))
    rest = builder.sub(bits, builder.shl(exponent, _integers(23)))
    r = builder.fsub(builder.bitcast(rest, _VECTOR), constant(1.0))
    value = constant(_LOG[-1])
    for coefficient in reversed(_LOG[:-1]):
        value = multiply_add(builder, value, r, constant(coefficient))
    square = builder.fmul(r, r)
    value = multiply_add(
        builder, builder.fmul(value, r), square, builder.fmul(square, constant(-0.5))
    )
    whole = builder.fmul(builder.sitofp(exponent, _VECTOR), constant(0.69314718))
    return builder.fadd(whole, builder.fadd(value, r))


_LOG = (
    0.33333331174, -0.24999993993, 0.20000714765, -0.16668057665, 0.14249322787,
    -0.12420140846, 0.11676998740, -0.11514610310, 0.070376836292,
)  # fmt: skip


def shuffle(builder: Builder, a: Value, b: Value, picks: Sequence[int]) -> Value:
    """Lanes picked from ``a`` (0 to 15) and ``b`` (16 to 31)."""
    return builder.shuffle_vector(a, b, ir.Constant(_BITS, [_I32(i) for i in picks]))


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


def _elementwise(arity: int, emit: Callable[..., Value]) -> Any:
    """A numba function of ``arity`` vectors from what emits it."""

    def codegen(context: Any, builder: Builder, signature: Any, arguments: Any) -> Value:
        return emit(builder, *arguments)

    signature = lanes(*(lanes,) * arity)
    # numba counts the arguments by name, and only their types matter here.
    if arity == 1:
        return intrinsic(lambda context, a: (signature, codegen))  # noqa: ARG005  # see above
    if arity == 2:
        return intrinsic(lambda context, a, b: (signature, codegen))  # noqa: ARG005  # see above
    return intrinsic(lambda context, a, b, c: (signature, codegen))  # noqa: ARG005  # see above


add = _elementwise(2, lambda builder, a, b: builder.fadd(a, b))
sub = _elementwise(2, lambda builder, a, b: builder.fsub(a, b))
mul = _elementwise(2, lambda builder, a, b: builder.fmul(a, b))
div = _elementwise(2, lambda builder, a, b: builder.fdiv(a, b))
fma = _elementwise(3, multiply_add)
maximum = _elementwise(2, larger)
minimum = _elementwise(2, smaller)
exp2 = _elementwise(1, power_of_two)
rsqrt = _elementwise(1, inverse_root)
tanh = _elementwise(1, hyperbolic_tangent)
log = _elementwise(1, natural_logarithm)


@intrinsic
def load(context, array, at):
    """The sixteen elements of ``array`` from ``at`` on."""

    def codegen(context, builder, signature, arguments):
        kind, _ = signature.args
        return read(builder, pointer(context, builder, kind, *arguments))

    return lanes(array, types.intp), codegen


@intrinsic
def store(context, array, at, vector):
    """Write ``vector`` to ``array`` from ``at`` on."""

    def codegen(context, builder, signature, arguments):
        array, at, vector = arguments
        write(builder, vector, pointer(context, builder, signature.args[0], array, at))
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), codegen


@intrinsic
def splat(context, scalar):
    """All lanes of one float32."""

    def codegen(context, builder, signature, arguments):
        return broadcast(builder, arguments[0])

    return lanes(types.float32), codegen


@intrinsic
def where(context, flags, at, vector, other):
    """The vector in lanes whose flag, of sixteen from ``at`` of a bool array, is set; or other."""

    def codegen(context, builder, signature, arguments):
        flags, at, vector, other = arguments
        address = pointer(context, builder, signature.args[0], flags, at)
        read_flags = builder.load(builder.bitcast(address, _BYTES.as_pointer()))
        read_flags.align = 1
        chosen = builder.icmp_unsigned("!=", read_flags, ir.Constant(_BYTES, [0] * LANES))
        return builder.select(chosen, vector, other)

    return lanes(flags, types.intp, lanes, lanes), codegen


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
        so_far = [builder.phi(_VECTOR) for _ in range(LANES)]
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
        old = [builder.phi(_VECTOR) for _ in range(4)]
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
