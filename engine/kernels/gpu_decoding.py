"""How Triton kernels turn values as they are kept into what tensor cores multiply, without scales.

All are exact in bfloat16: integers up to 256, and float8_e4m3fn. A step of one canvas decodes 25
billion values, 0.9 ms for every instruction that one takes on 132 multiprocessors; that is why two
are decoded at a time where the compiler would not, in 11 instructions for 8 of int4 and 11 for 4 of fp8.
"""

import triton
import triton.language as tl

from engine.kernels.gpu_numbers import nearest
from engine.precision.nibbles import OFFSET

#: How values are kept.
FLOAT, FP8, INT8, INT4 = (tl.constexpr(i) for i in range(4))

#: Sign, 4 bits of exponent and 3 of fraction, put where a wider float has them, are the number,
#: also a subnormal one, times 2^(7 - 127).
_FP8_SCALE = tl.constexpr(2.0**120)
_OFFSET = tl.constexpr(OFFSET)

#: 4 bytes -> 2 + 2 bfloat16. A byte goes to the top of each half, its exponent and fraction 4 bits
#: down from there; then it is multiplied by 2^120.
FP8_PTX = tl.constexpr("""{
    .reg .b32 a, b, s, t, k;
    mov.b32 k, 0x7B807B80;
    prmt.b32 a, $2, 0, 0x1404;
    prmt.b32 b, $2, 0, 0x3424;
    shr.b32 s, a, 4;
    shr.b32 t, b, 4;
    and.b32 s, s, 0x07F007F0;
    and.b32 t, t, 0x07F007F0;
    lop3.b32 s, a, 0x80008000, s, 0xEA;
    lop3.b32 t, b, 0x80008000, t, 0xEA;
    mul.bf16x2 $0, s, k;
    mul.bf16x2 $1, t, k;
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
def decoded(raw, kind: tl.constexpr, wanted: tl.constexpr, operand: tl.constexpr):
    """Values of all kinds but INT4 -> ``operand``; floats are rounded to ``wanted`` before."""
    if kind == FLOAT:
        result = nearest(raw.to(tl.float32), wanted).to(operand)
    elif kind == INT8:
        result = raw.to(operand)
    elif operand == tl.bfloat16:
        result = tl.inline_asm_elementwise(
            FP8_PTX, "=r,=r,r", [raw], dtype=tl.bfloat16, is_pure=True, pack=4
        )
    else:
        bits = raw.to(tl.uint32)
        bits = ((bits & 0x80) << 24) | ((bits & 0x7F) << 20)
        result = (bits.to(tl.float32, bitcast=True) * _FP8_SCALE).to(operand)
    return result


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
