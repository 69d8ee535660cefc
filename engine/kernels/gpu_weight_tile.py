"""What Triton kernels of weights share: a tile of outputs times a tile of rows, in any precision.

The weight is the left side of the product, [outputs, K] x [K, rows]: what is decoded is decoded in
registers, from where a Hopper tensor core takes its left operand, and the rows of x come from
shared memory. Tiles of outputs are multiples of 64 and so every product of bfloat16 is
wgmma.m64nNk16 and every one of fp8 wgmma.m64nNk32, N the tile of rows. An element of its result is
the sum over the same products after the same ones, whatever N is and wherever in the tile the
element lies: N says for how many rows an instruction is repeated. So the tile of rows may be chosen
by their number, and the bits of a row do not change; nor with the tile of outputs. The test that
compiles the kernels sees that there is no other instruction, and tests on a GPU compare the bits. K
is cut by its size alone, in order, and nothing is added atomically. float32 is multiplied by no
tensor core, and has one tile.

Decoding is exact (``engine.kernels.gpu_decoding``). Scales multiply sums in float32: of a group of
int4, of a block of int8, of all inputs in fp8, which is multiplied as it is with rows in fp8
(``engine.kernels.row_rounding``).

A product whose left side lies in registers must be waited for before the loop writes into them
again. Triton 3.6 and 3.7 leave that wait out where the sum is carried from such a product to the
next turn's, and answers change from run to run. So each block's sum is taken by itself, scaled and
added, which makes them wait; the test that compiles the kernels looks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_decoding import (
    FLOAT,
    FP8,
    INT4,
    INT8,
    decoded_halves,
    decoded_quarters,
    float8,
)
from engine.kernels.gpu_numbers import INTERPRETED
from engine.kernels.row_rounding import RoundedRows, Rows, floats, rounded_rows
from engine.precision.pairs import BLOCK
from engine.precision.precision import GROUP, Precision

if TYPE_CHECKING:
    from engine.precision.weight import Weight

#: How values are kept, for kernels.
KINDS = {
    Precision.FLOAT32: FLOAT,
    Precision.BFLOAT16: FLOAT,
    Precision.FP8: FP8,
    Precision.INT8: INT8,
    Precision.INT4: INT4,
}


def in_tile(precision: Precision, dtype: torch.dtype) -> int:
    """Inputs of a tile of what is multiplied as it is: 128 bytes."""
    if precision is Precision.FP8:
        return 128
    return 32 if dtype == torch.float32 else 64


def operand_of(precision: Precision, dtype: torch.dtype) -> tl.dtype:
    """What is multiplied.

    The interpreter has no bfloat16. There it is float64, in which sums are taken as well, so that
    bits are the same in whichever order NumPy adds.
    """
    if INTERPRETED.value:
        return tl.float64
    if precision is Precision.FP8:
        return tl.float8e4nv
    return tl.float32 if dtype == torch.float32 else tl.bfloat16


def kept(weight: Weight, dtype: torch.dtype) -> tuple[Tensor, Tensor, int, int]:
    """Values and scales as kernels read them, and the strides of scales, of outputs and groups.

    Floats are rounded to ``dtype``, that of activations, if that is narrower.
    """
    values = weight.values.contiguous()
    if weight.scales is None:
        values = values if dtype == torch.float32 else values.to(dtype)
        return values, values, 0, 0
    if weight.precision is Precision.FP8:
        values = as_kernels_read(values)
    else:
        values = values.view(torch.int16)
    return values, weight.scales, weight.scales.stride(-2), weight.scales.stride(-1)


def taken(x: Rows, precision: Precision) -> tuple[Tensor, Tensor]:
    """Rows as a product with weights so kept reads them, dense along K, and their scales.

    Something for scales where there are none.
    """
    if precision is Precision.FP8:
        rows = x if isinstance(x, RoundedRows) else rounded_rows(x)
        held, scales = as_kernels_read(rows.values), rows.scales
    else:
        held = scales = floats(x)
    return held if held.stride(1) == 1 else held.contiguous(), scales


def as_kernels_read(values: Tensor) -> Tensor:
    """float8_e4m3fn as it is; in the interpreter, which rounds it wrongly, as bytes."""
    return values.view(torch.uint8) if INTERPRETED.value else values


@triton.jit
def weight_times_rows(
    values,
    scales,
    scale_out,
    scale_group,
    x,
    out,
    row_at,
    row_held,
    row_scale,
    inputs: tl.constexpr,
    kind: tl.constexpr,
    operand: tl.constexpr,
    out_tile: tl.constexpr,
    row_tile: tl.constexpr,
    in_tile: tl.constexpr,
    size: tl.constexpr = GROUP,
    block: tl.constexpr = BLOCK,
):
    """``W x^T`` for some outputs and rows, float32 [out_tile, row_tile].

    Args:
        values: [N, K] as kept, dense.
        scales: as kept; not read where there are none.
        scale_out: the stride of scales from output to output.
        scale_group: the same from group to group.
        x: dense along K.
        out: int64 [out_tile], which outputs; all must be there, one may come again.
        row_at: int64 [row_tile], where rows of x begin.
        row_held: which of them there are.
        row_scale: float32 [row_tile], of rows in fp8; not read for others.
        inputs: K.
        kind: how values are kept.
        operand: what is multiplied.
        out_tile: see ``ProductTiles``.
        row_tile: see ``ProductTiles``.
        in_tile: inputs at a time of what is multiplied as it is.
        size: of a group of int4.
        block: of inputs of int8.
    """
    total = tl.zeros([out_tile, row_tile], tl.float64 if operand == tl.float64 else tl.float32)
    x_at = x + row_at[None, :]
    if kind == INT4:
        tail: tl.constexpr = inputs % size
        quarter: tl.constexpr = size // 4
        fours_at = values + (out * (inputs // 4))[:, None]
        groups: tl.constexpr = (inputs + size - 1) // size
        scale_at = scales + out * scale_out
        scale = tl.load(scale_at)
        for group in range(inputs // size):
            # The next one, so that this turn does not wait for what is on its way.
            following = tl.load(scale_at + tl.minimum(group + 1, groups - 1) * scale_group)
            total = _add_group(
                total,
                fours_at + group * quarter,
                scale,
                x_at + group * size,
                row_held,
                quarter,
                quarter,
                operand,
            )
            scale = following
        if tail:
            total = _add_group(
                total,
                fours_at + (inputs // size) * quarter,
                scale,
                x_at + inputs // size * size,
                row_held,
                tail // 4,
                16 if tail <= 64 else quarter,
                operand,
            )
    elif kind == INT8:
        rest: tl.constexpr = inputs % block
        half: tl.constexpr = block // 2
        pairs_at = values + (out * (inputs // 2))[:, None]
        scale = tl.load(scales + out * scale_out)
        for first in range(0, inputs // block):
            total = _add_block(
                total,
                pairs_at + first * half,
                scale,
                x_at + first * block,
                row_held,
                half,
                half,
                operand,
            )
        if rest:
            total = _add_block(
                total,
                pairs_at + (inputs // block) * half,
                scale,
                x_at + inputs // block * block,
                row_held,
                rest // 2,
                16 if rest <= 32 else half,
                operand,
            )
    else:
        values_at = values + (out * inputs)[:, None]
        for first in range(0, inputs, in_tile):
            k = first + tl.arange(0, in_tile)
            mask = row_held[None, :]
            if inputs % in_tile:
                held = k < inputs
                mask = mask & held[:, None]
                raw = tl.load(values_at + k[None, :], mask=held[None, :], other=0.0)
            else:
                raw = tl.load(values_at + k[None, :])
            rows = tl.load(x_at + k[:, None], mask=mask, other=0.0)
            if kind == FLOAT:
                left, rows = raw.to(operand), rows.to(operand)
            elif operand == tl.float64:
                left, rows = float8(raw, operand), float8(rows, operand)
            else:
                left = raw
            total = tl.dot(left, rows, total, input_precision="ieee", out_dtype=total.dtype)
        if kind == FP8:
            total = total * tl.load(scales + out * scale_out)[:, None] * row_scale[None, :]
    return total.to(tl.float32)


@triton.jit
def _add_block(
    total,
    pairs_at,
    scale,
    x_at,
    row_held,
    half: tl.constexpr,
    width: tl.constexpr,
    operand: tl.constexpr,
):
    """Add a block of int8, each of whose ``half`` times 16 bits holds one of each half."""
    low, high = decoded_halves(_packed(pairs_at, half, width), operand)
    part = tl.zeros(total.shape, total.dtype)
    part = _add_part(part, low, x_at, row_held, half, width)
    part = _add_part(part, high, x_at + half, row_held, half, width)
    return tl.fma(part, scale[:, None], total)


@triton.jit
def _add_group(
    total,
    fours_at,
    scale,
    x_at,
    row_held,
    quarter: tl.constexpr,
    width: tl.constexpr,
    operand: tl.constexpr,
):
    """Add a group of int4, each of whose ``quarter`` times 16 bits holds one of each quarter."""
    first, second, third, fourth = decoded_quarters(_packed(fours_at, quarter, width), operand)
    # One after another, so that one is decoded while another is multiplied: one product of all four
    # seemed slower on an H200.
    part = tl.zeros(total.shape, total.dtype)
    part = _add_part(part, first, x_at, row_held, quarter, width)
    part = _add_part(part, second, x_at + quarter, row_held, quarter, width)
    part = _add_part(part, third, x_at + 2 * quarter, row_held, quarter, width)
    part = _add_part(part, fourth, x_at + 3 * quarter, row_held, quarter, width)
    return tl.fma(part, scale.to(part.dtype)[:, None], total)


@triton.jit
def _packed(packed_at, count: tl.constexpr, width: tl.constexpr):
    """16 bits of each output at ``count`` places, and zeros."""
    at = tl.arange(0, width)
    if count == width:
        packed = tl.load(packed_at + at[None, :])
    else:
        packed = tl.load(packed_at + at[None, :], mask=(at < count)[None, :], other=0)
    return packed


@triton.jit
def _add_part(part, left, x_at, row_held, count: tl.constexpr, width: tl.constexpr):
    """Add ``left`` times rows of ``count`` inputs, of which ``left`` has ``width``."""
    at = tl.arange(0, width)
    mask = row_held[None, :]
    if count != width:
        mask = mask & (at < count)[:, None]
    rows = tl.load(x_at + at[:, None], mask=mask, other=0.0).to(left.dtype)
    return tl.dot(left, rows, part, input_precision="ieee", out_dtype=part.dtype)
