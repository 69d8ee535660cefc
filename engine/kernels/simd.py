"""Sixteen float32 lanes as a numba type, with its plain operations.

numba leaves vectorising to LLVM, which on current Xeons prefers half of the machine's width and
keeps no tile of a matrix product in registers. Here a value *is* a vector: ``load``, ``fma``,
``store``. LLVM lowers it to whatever the machine has, AVX-512, AVX2 or NEON.

Nothing is reassociated: an operation rounds the same wherever its row stands in a batch.
Arrays are flat, float32 and contiguous; positions in them count elements. There are no bounds
checks. What is emitted into LLVM takes a builder; the rest is for compiled code to call. More of
both is in ``simd_functions``, ``simd_shuffles`` and ``simd_runs``. A change of any of them has all
kernels compiled anew: see ``engine.kernels.code_cache``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import models, register_model

LANES = 16

_F32, _I32 = ir.FloatType(), ir.IntType(32)
#: The LLVM types of a vector and of its bits.
VECTOR, BITS = ir.VectorType(_F32, LANES), ir.VectorType(_I32, LANES)
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
        super().__init__(manager, kind, VECTOR)


lanes = LanesType()


def pointer(context: Any, builder: Builder, kind: Any, array: Value, at: Value) -> Value:
    """The address of element ``at`` of a flat array, in LLVM."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.gep(data, [at])


def read(builder: Builder, address: Value) -> Value:
    """The vector at an address of any alignment."""
    vector = builder.load(builder.bitcast(address, VECTOR.as_pointer()))
    vector.align = 4
    return vector


def write(builder: Builder, vector: Value, address: Value) -> None:
    """Put a vector at an address of any alignment."""
    builder.store(vector, builder.bitcast(address, VECTOR.as_pointer())).align = 4


def broadcast(builder: Builder, scalar: Value) -> Value:
    """The vector whose lanes all hold ``scalar``."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, scalar, _I32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(BITS, None))


def constant(value: float) -> Value:
    """The constant vector of ``value``, which must be a float32 exactly or is rounded to one."""
    return ir.Constant(VECTOR, [_F32(value)] * LANES)


def multiply_add(builder: Builder, a: Value, b: Value, c: Value) -> Value:
    """``a * b + c`` with one rounding."""
    return _call(builder, "llvm.fma.v16f32", [a, b, c])


def zeros() -> Value:
    """The zero vector."""
    return ir.Constant(VECTOR, None)


def _call(builder: Builder, name: str, arguments: Sequence[Value]) -> Value:
    """Call an LLVM intrinsic, declaring it once a module."""
    module = builder.module
    known = module.globals.get(name)
    if known is None:
        kind = ir.FunctionType(VECTOR, [VECTOR] * len(arguments))
        known = ir.Function(module, kind, name)
    return builder.call(known, arguments)


def larger(builder: Builder, a: Value, b: Value) -> Value:
    """The larger of two, lane by lane."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def smaller(builder: Builder, a: Value, b: Value) -> Value:
    """The smaller of two, lane by lane."""
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def elementwise(arity: int, emit: Callable[..., Value]) -> Any:
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


add = elementwise(2, lambda builder, a, b: builder.fadd(a, b))
sub = elementwise(2, lambda builder, a, b: builder.fsub(a, b))
mul = elementwise(2, lambda builder, a, b: builder.fmul(a, b))
div = elementwise(2, lambda builder, a, b: builder.fdiv(a, b))
fma = elementwise(3, multiply_add)
maximum = elementwise(2, larger)
minimum = elementwise(2, smaller)


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
