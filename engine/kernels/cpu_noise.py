"""The draws of ``engine.noise.CounterNoise`` in compiled code, one at a time or sixteen."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types

from engine.kernels.simd import LANES, VECTOR, Builder, Value, constant, intrinsic, lanes

_GOLDEN, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_GOLDEN_64, _MIX_1_64, _MIX_2_64 = (np.uint64(x) for x in (_GOLDEN, _MIX_1, _MIX_2))
_30, _27, _31, _41 = (np.uint64(shift) for shift in (30, 27, 31, 41))
_STREAMS = np.uint64(4)
_HALF, _SCALE = np.float32(0.5), np.float32(2.0**-23)
_COUNTERS = ir.VectorType(ir.IntType(64), LANES)


@njit(cache=True, nogil=True)
def stream(key, step, kind):
    """The key of one step's draws of a kind; see ``CounterNoise``."""
    return _mix(key + (step * _STREAMS + kind) * _GOLDEN_64)


@njit(cache=True, nogil=True)
def uniform(key, count):
    """Draw number ``count``, a float32 in (0, 1)."""
    bits = _mix(key + np.uint64(count + 1) * _GOLDEN_64)
    return (np.float32(bits >> _41) + _HALF) * _SCALE


@njit(cache=True, nogil=True)
def _mix(x):
    """SplitMix64's finaliser; see ``engine.noise``."""
    x = (x ^ (x >> _30)) * _MIX_1_64
    x = (x ^ (x >> _27)) * _MIX_2_64
    return x ^ (x >> _31)


@intrinsic
def uniforms(context, key, first):
    """Draws ``first`` to ``first + 15``, one a lane: the same as ``uniform``'s."""

    def codegen(context, builder, signature, arguments):
        key, first = (_spread(builder, x) for x in arguments)
        from_one = ir.Constant(_COUNTERS, [ir.IntType(64)(1 + i) for i in range(LANES)])
        counts = builder.add(first, from_one)
        x = builder.add(key, builder.mul(counts, _integers(_GOLDEN)))
        for shift, factor in ((30, _MIX_1), (27, _MIX_2)):
            x = builder.mul(_folded(builder, x, shift), _integers(factor))
        bits = builder.lshr(_folded(builder, x, 31), _integers(41))
        narrow = builder.trunc(bits, ir.VectorType(ir.IntType(32), LANES))
        middle = builder.fadd(builder.sitofp(narrow, VECTOR), constant(0.5))
        return builder.fmul(middle, constant(2.0**-23))

    return lanes(types.uint64, types.intp), codegen


def _folded(builder: Builder, x: Value, shift: int) -> Value:
    return builder.xor(x, builder.lshr(x, _integers(shift)))


def _integers(value: int) -> Value:
    return ir.Constant(_COUNTERS, [ir.IntType(64)(value)] * LANES)


def _spread(builder: Builder, scalar: Value) -> Value:
    """The vector whose lanes all hold ``scalar``."""
    nothing = ir.Constant(_COUNTERS, ir.Undefined)
    first = builder.insert_element(nothing, scalar, ir.IntType(32)(0))
    picks = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    return builder.shuffle_vector(first, nothing, picks)
