"""Elementary functions of sixteen float32 lanes: powers, roots, gelu, tanh and log."""

from __future__ import annotations

from llvmlite import ir

from engine.kernels.simd import (
    BITS,
    LANES,
    VECTOR,
    Builder,
    Value,
    constant,
    elementwise,
    larger,
    multiply_add,
    smaller,
)


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
    exponent = builder.shl(builder.bitcast(shifted, BITS), _integers(23))
    return builder.bitcast(builder.add(builder.bitcast(value, BITS), exponent), VECTOR)


#: 2**x on [-1/2, 1/2] with value 1 at 0 and the least relative error, 9.1e-8 (by Lawson's method).
_EXP2 = (1.0, 0.69314698, 0.24022242, 0.055507337, 0.0096715127, 0.0013264727)


def inverse_root(builder: Builder, x: Value) -> Value:
    """``x ** -0.5`` to 3e-7 for normal positive x: a guess from the bits, then Newton's steps."""
    half = builder.lshr(builder.bitcast(x, BITS), _integers(1))
    y = builder.bitcast(builder.sub(_integers(0x5F375A86), half), VECTOR)
    minus = builder.fmul(x, constant(-0.5))
    for _ in range(3):
        slope = multiply_add(builder, minus, builder.fmul(y, y), constant(1.5))
        y = builder.fmul(y, slope)
    return y


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
    bits = builder.bitcast(x, BITS)
    exponent = builder.ashr(builder.sub(bits, _integers(0x3F3504F3)), _integers(23))
    rest = builder.sub(bits, builder.shl(exponent, _integers(23)))
    r = builder.fsub(builder.bitcast(rest, VECTOR), constant(1.0))
    value = constant(_LOG[-1])
    for coefficient in reversed(_LOG[:-1]):
        value = multiply_add(builder, value, r, constant(coefficient))
    square = builder.fmul(r, r)
    value = multiply_add(
        builder, builder.fmul(value, r), square, builder.fmul(square, constant(-0.5))
    )
    whole = builder.fmul(builder.sitofp(exponent, VECTOR), constant(0.69314718))
    return builder.fadd(whole, builder.fadd(value, r))


_LOG = (
    0.33333331174, -0.24999993993, 0.20000714765, -0.16668057665, 0.14249322787,
    -0.12420140846, 0.11676998740, -0.11514610310, 0.070376836292,
)  # fmt: skip


exp2 = elementwise(1, power_of_two)
rsqrt = elementwise(1, inverse_root)
tanh = elementwise(1, hyperbolic_tangent)
log = elementwise(1, natural_logarithm)


def _integers(value: int) -> Value:
    """The constant vector of an integer."""
    return ir.Constant(BITS, [ir.IntType(32)(value)] * LANES)
