"""What Triton kernels of weights share: a tile of outputs times a tile of rows, in any precision.

The weight is the left side of the product, [outputs, K] x [K, rows]: it is decoded in registers,
from where a Hopper tensor core takes its left operand, and the rows of x come from shared memory.
Tiles of outputs are multiples of 64 and so every product of bfloat16 is wgmma.m64nNk16, N the tile
of rows. An element of its result is the sum over the same 16 products after the same 16, whatever N
is and wherever in the tile the element lies: N says for how many rows an instruction is repeated.
So the tile of rows may be chosen by their number, and the bits of a row do not change; nor with the
tile of outputs. The test that compiles the kernels sees that there is no other instruction, and
tests on a GPU compare the bits. K is cut by its size alone, in order, and nothing is added
atomically. float32 is multiplied by no tensor core, and has one tile.

Decoding is exact (``engine.kernels.gpu_decoding``). Scales multiply sums in float32, those of an
output at the end, those of a group of int4 when the group is summed.
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
)
from engine.kernels.gpu_numbers import INTERPRETED, nearest
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
#: Tiles that are on their way from memory at a time.
STAGES = 4
#: Inputs of a tile of floats.
IN_TILE = {torch.bfloat16: 64, torch.float32: 32}


def operand_of(x: Tensor) -> tl.dtype:
    """What is multiplied.

    The interpreter has no bfloat16. There it is float64, in which sums are taken as well, so that
    bits are the same in whichever order NumPy adds.
    """
    if INTERPRETED.value:
        return tl.float64
    return tl.float32 if x.dtype == torch.float32 else tl.bfloat16


def kept(weight: Weight) -> tuple[Tensor, Tensor]:
    """Values and scales as kernels read them: in 16 bits, and something for no scales."""
    values = weight.values.contiguous()
    values = values if weight.scales is None else values.view(torch.int16)
    return values, values if weight.scales is None else weight.scales.contiguous()


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
    block: tl.constexpr = BLOCK,
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
        in_tile: inputs of floats at a time.
        size: of a group of int4.
        block: of inputs of fp8 and int8.
    """
    total = tl.zeros([out_tile, row_tile], tl.float64 if operand == tl.float64 else tl.float32)
    x_at = x + row_at[None, :]
    if kind == INT4:
        tail: tl.constexpr = inputs % size
        quarter: tl.constexpr = size // 4
        fours_at = values + (out * (inputs // 4))[:, None]
        scale_at = scales + out * ((inputs + size - 1) // size)
        for group in range(inputs // size):
            total = _add_group(
                total,
                fours_at + group * quarter,
                scale_at + group,
                x_at + group * size,
                out_held,
                row_held,
                quarter,
                quarter,
                operand,
            )
        if tail:
            total = _add_group(
                total,
                fours_at + (inputs // size) * quarter,
                scale_at + inputs // size,
                x_at + inputs // size * size,
                out_held,
                row_held,
                tail // 4,
                16 if tail <= 64 else quarter,
                operand,
            )
    elif kind == FLOAT:
        values_at = values + (out * inputs)[:, None]
        for first in range(0, inputs, in_tile):
            k = first + tl.arange(0, in_tile)
            held = k < inputs
            raw = tl.load(values_at + k[None, :], mask=out_held[:, None] & held[None, :], other=0)
            left = nearest(raw.to(tl.float32), x.dtype.element_ty).to(operand)
            total = _add_part(total, left, x_at + k[:, None], held[:, None] & row_held[None, :])
    else:
        rest: tl.constexpr = inputs % block
        half: tl.constexpr = block // 2
        pairs_at = values + (out * (inputs // 2))[:, None]
        for first in range(0, inputs // block):
            total = _add_block(
                total,
                pairs_at + first * half,
                x_at + first * block,
                out_held,
                row_held,
                half,
                half,
                kind,
                operand,
            )
        if rest:
            total = _add_block(
                total,
                pairs_at + (inputs // block) * half,
                x_at + inputs // block * block,
                out_held,
                row_held,
                rest // 2,
                16 if rest <= 32 else half,
                kind,
                operand,
            )
        total = total * tl.load(scales + out, mask=out_held, other=0.0)[:, None]
    return total.to(tl.float32)


@triton.jit
def _add_block(
    total,
    pairs_at,
    x_at,
    out_held,
    row_held,
    half: tl.constexpr,
    width: tl.constexpr,
    kind: tl.constexpr,
    operand: tl.constexpr,
):
    """Add a block of fp8 or int8, each of whose ``half`` times 16 bits holds one of each half."""
    at = tl.arange(0, width)
    held = at < half
    pairs = tl.load(pairs_at + at[None, :], mask=out_held[:, None] & held[None, :], other=0)
    low, high = decoded_halves(pairs, kind, operand)
    x_at, mask = x_at + at[:, None], held[:, None] & row_held[None, :]
    total = _add_part(total, low, x_at, mask)
    return _add_part(total, high, x_at + half, mask)


@triton.jit
def _add_group(
    total,
    fours_at,
    scale_at,
    x_at,
    out_held,
    row_held,
    quarter: tl.constexpr,
    width: tl.constexpr,
    operand: tl.constexpr,
):
    """Add a group of int4, each of whose ``quarter`` times 16 bits holds one of each quarter."""
    at = tl.arange(0, width)
    held = at < quarter
    fours = tl.load(fours_at + at[None, :], mask=out_held[:, None] & held[None, :], other=0)
    first, second, third, fourth = decoded_quarters(fours, operand)
    x_at, mask = x_at + at[:, None], held[:, None] & row_held[None, :]
    part = tl.zeros(total.shape, total.dtype)
    part = _add_part(part, first, x_at, mask)
    part = _add_part(part, second, x_at + quarter, mask)
    part = _add_part(part, third, x_at + 2 * quarter, mask)
    part = _add_part(part, fourth, x_at + 3 * quarter, mask)
    scale = tl.load(scale_at, mask=out_held, other=0.0).to(tl.float32)
    return total + part * scale[:, None]


@triton.jit
def _add_part(part, left, x_at, mask):
    rows = tl.load(x_at, mask=mask, other=0.0).to(left.dtype)
    return tl.dot(left, rows, part, input_precision="ieee", out_dtype=part.dtype)
