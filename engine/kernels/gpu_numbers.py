"""What Triton kernels share: the softcap, rounding, and the draws of ``engine.noise``."""

import triton
import triton.language as tl

#: The interpreter computes in NumPy, which has no bfloat16.
INTERPRETED = tl.constexpr(bool(triton.knobs.runtime.interpret))
#: A scaled logit of no token at all. Finite, for differences of infinities are not numbers.
ABSENT = tl.constexpr(-1e30)
#: More than -log(-log(u)) of the largest u that is drawn, 1 - 2**-24.
LARGEST_GUMBEL = tl.constexpr(16.7)
TOKEN, RENOISE = tl.constexpr(0), tl.constexpr(1)  # streams of engine.noise

_GOLDEN = tl.constexpr(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = tl.constexpr(0xBF58476D1CE4E5B9), tl.constexpr(0x94D049BB133111EB)
_STREAMS = tl.constexpr(4)
_SMALL = tl.constexpr(0.15)
_LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def mix64(x):
    """SplitMix64's finaliser on uint64; see ``engine.noise.mix64``."""
    x = (x ^ (x >> 30)) * _MIX_1
    x = (x ^ (x >> 27)) * _MIX_2
    return x ^ (x >> 31)


@triton.jit
def stream_key(key, step, stream: tl.constexpr):
    """The key of one kind of draw in one step of a canvas; see ``CounterNoise``."""
    counter = (step * _STREAMS + stream).to(tl.uint64)
    return mix64(key.to(tl.uint64) + counter * _GOLDEN)


@triton.jit
def uniform(key, counter):
    """The draw in (0, 1), float32, whose index in its stream is ``counter``, from 0.

    Counters of 32 bits and no sign cost a third of a product of 64 bits less. The 23 bits become
    the digits of a number in [1, 2), which is exact, as is the difference.
    """
    bits = mix64(behind(key, 1) + counter.to(tl.uint64) * _GOLDEN)
    digits = (bits >> 41).to(tl.uint32) | 0x3F800000
    return digits.to(tl.float32, bitcast=True) - (1.0 - 2.0**-24)


@triton.jit
def behind(key, count):
    """The stream behind its first so many draws, a single number."""
    return key + tl.cast(count, tl.uint64) * _GOLDEN


@triton.jit
def exp(x):
    """``e^x`` in float32; what is below 2^-126 is 0, which saves the handling of such numbers."""
    return tl.exp2(x * _LOG2_E)


@triton.jit
def _inverse(x):
    """``1 / x`` in float32, of numbers that are neither huge nor tiny, to a unit in the last place.

    A quotient takes 8 instructions more, which see to those.
    """
    if INTERPRETED:
        y = 1.0 / x
    else:
        y = tl.inline_asm_elementwise(
            "rcp.approx.ftz.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    return y


@triton.jit
def tanh(x):
    """``tanh x`` in float32, to a few units in the last place.

    libdevice's is not there in the interpreter. The quotient loses digits near 0, where a series
    does not: its first term left out, 62 x^9 / 2835, is below 6e-9 x there.
    """
    shrunk = tl.exp2(tl.abs(x) * (-2.0 * _LOG2_E))
    far = (1.0 - shrunk) * _inverse(1.0 + shrunk)
    square = x * x
    near = x * (1.0 + square * (-1 / 3 + square * (2 / 15 - square * (17 / 315))))
    sign = x.to(tl.uint32, bitcast=True) & 0x80000000
    far = (far.to(tl.uint32, bitcast=True) | sign).to(tl.float32, bitcast=True)
    return tl.where(tl.abs(x) < _SMALL, near, far)


@triton.jit
def scaled(raw, softcap, temperature):
    """Logits as the model's head leaves them -> softcapped, divided by the temperature: float32.

    A logit costs no division: those by softcap and temperature are of single numbers.
    """
    return tanh(raw.to(tl.float32) * (1.0 / softcap)) * (softcap / temperature)


@triton.jit
def roughly_scaled(raw, softcap, temperature):
    """Like ``scaled``, to 5e-7 of the softcap over the temperature, in a quarter of the time.

    That is 4e-5 of logits up to 75, and 1.5e-3 at the lowest temperature there is, 0.01: less than
    bfloat16 loses, to which exponentials of them are rounded.
    """
    grown = tl.exp(raw.to(tl.float32) * (2.0 / softcap))
    return (1.0 - 2.0 / (1.0 + grown)) * (softcap / temperature)


@triton.jit
def nearest(x, dtype: tl.constexpr):
    """``x``, float32, rounded to the nearest value of ``dtype``, ties to even.

    A GPU's cast does; the interpreter's cuts off, so there the digits are rounded before.
    """
    if INTERPRETED and dtype == tl.bfloat16:
        bits = x.to(tl.uint32, bitcast=True)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
        x = bits.to(tl.float32, bitcast=True)
    return x.to(dtype)


@triton.jit
def nearest_fp8(x):
    """``x``, float32 of at most 448, rounded to the nearest float8_e4m3fn, ties to even.

    As a GPU's cast does; the interpreter's loses what is below the normal numbers.
    """
    if INTERPRETED:
        exponent = tl.maximum((x.to(tl.uint32, bitcast=True) >> 23) & 255, 121)
        unit = ((exponent - 3) << 23).to(tl.float32, bitcast=True)
        whole = unit * 12582912.0  # 1.5 times 2^23 units: what is added to it loses its fractions
        size = (tl.abs(x) + whole) - whole
        x = tl.where(x < 0, -size, size)
    return x.to(tl.float8e4nv)
