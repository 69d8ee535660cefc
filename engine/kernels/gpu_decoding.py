"""How Triton kernels turn values as they are kept into what tensor cores multiply, without scales.

All are exact in bfloat16: integers up to 256, and float8_e4m3fn. A step of one canvas decodes 25
billion values, 0.9 ms for every instruction that one takes on 132 multiprocessors. So two are
decoded at a time, where the compiler would not: 8 of int4 take 11 instructions, 4 of int8 7. fp8 is
what tensor cores multiply; only the interpreter decodes it.
"""

import triton
import triton.language as tl

from engine.precision.nibbles import OFFSET

#: How values are kept.
FLOAT, FP8, INT8, INT4 = (tl.constexpr(i) for i in range(4))

#: Sign, 4 bits of exponent and 3 of fraction, put where a wider float has them, are the number,
#: also a subnormal one, times 2^(7 - 127).
_FP8_SCALE = tl.constexpr(2.0**120)
_OFFSET = tl.constexpr(OFFSET)

#: Twice 16 bits -> 2 bfloat16 of their low bytes and 2 of their high ones. The low 7 bits of an
#: integer below the exponent of 128 are 128 more than themselves; the sign, put there, makes 256 of
#: 128, and that is subtracted.
INT8_PTX = tl.constexpr("""{
    .reg .b32 a, b, c, d;
    shr.b32 c, $2, 8;
    lop3.b32 a, $2, 0x007F007F, 0x43004300, 0xEA;
    lop3.b32 b, $2, 0x00800080, 0x43004300, 0xEA;
    lop3.b32 d, c, 0x00800080, 0x43004300, 0xEA;
    lop3.b32 c, c, 0x007F007F, 0x43004300, 0xEA;
    sub.bf16x2 $0, a, b;
    sub.bf16x2 $1, c, d;
}""")
#: Twice 16 bits -> 2 bfloat16 of each of their nibbles. A nibble below the exponent of 128 is 128
#: more than itself; of that 136 is subtracted.
INT4_PTX = tl.constexpr("""{
    .reg .b32 a, b, c, d, k;
    mov.b32 k, 0x43084308;
    shr.b32 b, $4, 4;
    shr.b32 c, $4, 8;
    shr.b32 d, $4, 12;
    lop3.b32 a, $4, 0x000F000F, 0x43004300, 0xEA;
    lop3.b32 b, b, 0x000F000F, 0x43004300, 0xEA;
    lop3.b32 c, c, 0x000F000F, 0x43004300, 0xEA;
    lop3.b32 d, d, 0x000F000F, 0x43004300, 0xEA;
    sub.bf16x2 $0, a, k;
    sub.bf16x2 $1, b, k;
    sub.bf16x2 $2, c, k;
    sub.bf16x2 $3, d, k;
}""")


@triton.jit
def decoded_halves(pairs, operand: tl.constexpr):
    """16 bits of INT8 -> their low bytes and their high ones, each as ``operand``."""
    if operand == tl.bfloat16:
        low, high = tl.inline_asm_elementwise(
            INT8_PTX,
            "=r,=r,r",
            [pairs],
            dtype=(tl.bfloat16, tl.bfloat16),
            is_pure=True,
            pack=2,
        )
    else:
        low, high = pairs.to(tl.int8).to(operand), (pairs >> 8).to(tl.int8).to(operand)
    return low, high


@triton.jit
def float8(raw, operand: tl.constexpr):
    """Bytes as float8_e4m3fn -> ``operand``."""
    bits = raw.to(tl.uint32)
    bits = ((bits & 0x80) << 24) | ((bits & 0x7F) << 20)
    return (bits.to(tl.float32, bitcast=True) * _FP8_SCALE).to(operand)


@triton.jit
def decoded_quarters(fours, operand: tl.constexpr):
    """16 bits of INT4 -> their four nibbles, the lowest first, each as ``operand``."""
    if operand == tl.bfloat16:
        first, second, third, fourth = tl.inline_asm_elementwise(
            INT4_PTX,
            "=r,=r,=r,=r,r",
            [fours],
            dtype=(tl.bfloat16, tl.bfloat16, tl.bfloat16, tl.bfloat16),
            is_pure=True,
            pack=2,
        )
    else:
        bits = fours.to(tl.int32)
        first = ((bits & 15) - _OFFSET).to(operand)
        second = (((bits >> 4) & 15) - _OFFSET).to(operand)
        third = (((bits >> 8) & 15) - _OFFSET).to(operand)
        fourth = (((bits >> 12) & 15) - _OFFSET).to(operand)
    return first, second, third, fourth
