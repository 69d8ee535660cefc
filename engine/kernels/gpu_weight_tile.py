"""What Triton kernels of weights share: a tile of outputs times a tile of rows, in any precision.

The weight is the left side of the product, [outputs, K] x [K, rows]: it is decoded in registers,
from where a Hopper tensor core takes its left operand, and the rows of x come from shared memory.
Tiles of outputs are multiples of 64 and so every product of bfloat16 is wgmma.m64nNk16, N the tile
of rows. An element of its result is the sum over the same 16 products after the same 16, whatever N
is and wherever in the tile the element lies: N says for how many rows an instruction is repeated.
So the tile of rows may be chosen by their number, and the bits of a row do not change; nor with the
tile of outputs. K is cut by its size alone, in order, and nothing is added atomically.

What is decoded is exact in bfloat16: integers up to 256, and float8_e4m3fn. Scales multiply sums in
float32, those of an output at the end, those of a group of int4 when the group is summed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import INTERPRETED, nearest
from engine.precision.nibbles import OFFSET
from engine.precision.precision import GROUP, Precision

if TYPE_CHECKING:
    from engine.precision.weight import Weight

#: How values are kept, for kernels.
FLOAT, FP8, INT8, INT4 = (tl.constexpr(i) for i in range(4))
KINDS = {
    Precision.FLOAT32: FLOAT,
    Precision.BFLOAT16: FLOAT,
    Precision.FP8: FP8,
    Precision.INT8: INT8,
    Precision.INT4: INT4,
}
#: Tiles that are on their way from memory at a time.
STAGES = 4
#: Inputs of a tile, but for int4, whose tiles are half groups.
IN_TILE = {torch.bfloat16: 64, torch.float32: 32}
_OFFSET = tl.constexpr(OFFSET)
_FP8_SCALE = tl.constexpr(2.0**120)


def operand_of(x: Tensor) -> tl.dtype:
    """What is multiplied.

    The interpreter has no bfloat16. There it is float64, in which sums are taken as well, so that
    bits are the same in whichever order NumPy adds.
    """
    if INTERPRETED.value:
        return tl.float64
    return tl.float32 if x.dtype == torch.float32 else tl.bfloat16


def kept(weight: Weight) -> tuple[Tensor, Tensor]:
    """Values and scales as kernels read them: float8 as bytes, and something for no scales."""
    values = weight.values.contiguous()
    values = values.view(torch.uint8) if values.dtype == torch.float8_e4m3fn else values
    return values, values if weight.scales is None else weight.scales.contiguous()


@triton.jit
def decoded(raw, kind: tl.constexpr, wanted: tl.constexpr, operand: tl.constexpr):
    """Values as they are kept -> what is multiplied, without scales. ``wanted``: the dtype of x."""
    if kind == FLOAT:
        result = nearest(raw.to(tl.float32), wanted).to(operand)
    elif kind == FP8:
        # Sign, 4 bits of exponent and 3 of fraction, put where float32 has them, are the number,
        # also a subnormal one, times 2^(7 - 127).
        bits = raw.to(tl.uint32)
        bits = ((bits & 0x80) << 24) | ((bits & 0x7F) << 20)
        result = (bits.to(tl.float32, bitcast=True) * _FP8_SCALE).to(operand)
    else:
        result = raw.to(operand)
    return result


@triton.jit
def weight_times_rows(
    values,
    scales,
    x,
    out,
    out_held,
    row_at,
    row_held,
    inputs: tl.constexpr,
    kind: tl.constexpr,
    operand: tl.constexpr,
    out_tile: tl.constexpr,
    row_tile: tl.constexpr,
    in_tile: tl.constexpr,
    size: tl.constexpr = GROUP,
):
    """``W x^T`` for some outputs and rows, float32 [out_tile, row_tile].

    Args:
        values: [N, K] as kept, dense.
        scales: as kept, dense; not read where there are none.
        x: dense along K.
        out: int64 [out_tile], which outputs.
        out_held: which of them there are.
        row_at: int64 [row_tile], where rows of x begin.
        row_held: which of them there are.
        inputs: K.
        kind: how values are kept.
        operand: what is multiplied.
        out_tile: a multiple of 64 for tensor cores.
        row_tile: a multiple of 16.
        in_tile: inputs at a time.
        size: of a group of int4.
    """
    total = tl.zeros([out_tile, row_tile], tl.float64 if operand == tl.float64 else tl.float32)
    x_at = x + row_at[None, :]
    if kind == INT4:
        tail: tl.constexpr = inputs % size
        half: tl.constexpr = size // 2
        bytes_at = values + (out * (inputs // 2))[:, None]
        scale_at = scales + out * ((inputs + size - 1) // size)
        for group in range(inputs // size):
            total = _add_group(
                total,
                bytes_at,
                scale_at,
                x_at,
                out_held,
                row_held,
                group,
                half,
                half,
                size,
                operand,
            )
        if tail:
            block: tl.constexpr = 16 if tail <= 32 else (32 if tail <= 64 else half)
            total = _add_group(
                total,
                bytes_at,
                scale_at,
                x_at,
                out_held,
                row_held,
                inputs // size,
                tail // 2,
                block,
                size,
                operand,
            )
    else:
        values_at = values + (out * inputs)[:, None]
        for first in range(0, inputs, in_tile):
            k = first + tl.arange(0, in_tile)
            held = k < inputs
            raw = tl.load(values_at + k[None, :], mask=out_held[:, None] & held[None, :], other=0)
            rows = tl.load(x_at + k[:, None], mask=held[:, None] & row_held[None, :], other=0.0)
            left = decoded(raw, kind, x.dtype.element_ty, operand)
            total = tl.dot(
                left, rows.to(operand), total, input_precision="ieee", out_dtype=total.dtype
            )
        if kind != FLOAT:
            total = total * tl.load(scales + out, mask=out_held, other=0.0)[:, None]
    return total.to(tl.float32)


@triton.jit
def _add_group(
    total,
    bytes_at,
    scale_at,
    x_at,
    out_held,
    row_held,
    group,
    half: tl.constexpr,
    block: tl.constexpr,
    size: tl.constexpr,
    operand: tl.constexpr,
):
    """Add a group of int4: ``half`` bytes an output, the first half of the group low in them."""
    at = tl.arange(0, block)
    held = at < half
    mask = out_held[:, None] & held[None, :]
    both = tl.load(bytes_at + (group * (size // 2) + at)[None, :], mask=mask, other=0)
    k = (group * size + at)[:, None]
    mask = held[:, None] & row_held[None, :]
    first = tl.load(x_at + k, mask=mask, other=0.0).to(operand)
    second = tl.load(x_at + k + half, mask=mask, other=0.0).to(operand)
    low = (both & 15).to(tl.int8) - _OFFSET
    high = (both >> 4).to(tl.int8) - _OFFSET
    part = tl.dot(low.to(operand), first, input_precision="ieee", out_dtype=total.dtype)
    part = tl.dot(high.to(operand), second, part, input_precision="ieee", out_dtype=total.dtype)
    scale = tl.load(scale_at + group, mask=out_held, other=0.0).to(tl.float32)
    return total + part * scale[:, None]
