"""``engine.kernels.expert_parts`` in Triton: launches whose sizes do not depend on data.

1. All T k assignments are sorted by expert and token (``engine.kernels.gpu_expert_order``).
2. Gathered rows of x times gates and what they gate, both in one tile, with gelu and their product:
   [T k, I], sorted; for experts in fp8 they are rounded by another launch.
3. Down, times the router's weight, written to the assignment's own place: [T, k, D].

1 also lists the tiles of rows that each expert has for 2 and 3. The grid has as many as there could
be, T k / tile + E at most, and those that are too many end at once.

At T = 256 with k = 8 of 128 experts an expert has 16 rows, so that tiles have 32, and all weights
are read about once: 1.5 GB in bfloat16, 0.35 ms a layer at 4.3 TB/s, 0.4 GB in int4. At T = 8192 it
has 512, tiles have 128, and it is 780 GFLOP a layer, 1 ms at 790 TFLOPS. What lies between the
kernels is 3 + 12 MB for T = 256. The tile of rows is chosen by T k / E; it does not change a row's
bits, as ``engine.kernels.gpu_weight_tile`` says, nor does which rows share a tile.

How near the reference: rounded wherever it rounds; sums as ``engine.kernels.gpu_weight_product``
has them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_decoding import FP8
from engine.kernels.gpu_expert_order import expert_order
from engine.kernels.gpu_numbers import nearest, tanh
from engine.kernels.gpu_product_tiles import ProductTiles
from engine.kernels.gpu_weight_tile import (
    KINDS,
    in_tile,
    kept,
    operand_of,
    taken,
    weight_times_rows,
)
from engine.kernels.row_rounding import Rows
from engine.precision.precision import Precision

if TYPE_CHECKING:
    from engine.precision.weight import Weight

#: Measured on an H200: up to so many rows an expert.
_TILES = {
    Precision.BFLOAT16: {
        20: ProductTiles(64, 32, 4, 3),
        96: ProductTiles(128, 64, 8, 3),
        math.inf: ProductTiles(128, 128, 8, 3),
    },
    Precision.FP8: {
        20: ProductTiles(64, 32, 4, 3),
        96: ProductTiles(128, 64, 4, 3),
        math.inf: ProductTiles(128, 256, 8, 4),
    },
    Precision.INT8: {20: ProductTiles(128, 32, 4, 3), math.inf: ProductTiles(128, 64, 8, 4)},
    Precision.INT4: {20: ProductTiles(128, 32, 4, 3), math.inf: ProductTiles(128, 64, 8, 4)},
}
#: Of float32, which no tensor core multiplies.
_FLOAT32 = {math.inf: ProductTiles(64, 16, 4, 4)}
_ROOT, _CUBIC = tl.constexpr(0.7978845608028654), tl.constexpr(0.044715)  # sqrt(2 / pi)


def gpu_expert_parts(
    x: Rows,
    weights: Tensor,
    chosen: Tensor,
    gate_up: Weight,
    down: Weight,
    *,
    tiles: ProductTiles | None = None,
) -> Tensor:
    """See ``engine.kernels.expert_parts.expert_parts``."""
    (count, k), (experts, hidden, size) = chosen.shape, down.shape
    parts = torch.empty((count, k, hidden), dtype=x.dtype, device=chosen.device)
    if not count:
        return parts
    rows = count * k
    precision = gate_up.precision
    chosen_tiles = tiles or tiles_for(rows / experts, precision, x.dtype)
    order, plan = expert_order(chosen, experts, chosen_tiles.rows)
    inner = torch.empty((rows, size), dtype=x.dtype, device=chosen.device)
    row_tiles = plan.shape[1]
    shared = {
        "experts": experts,
        "kind": KINDS[precision],
        "operand": operand_of(precision, x.dtype),
        "in_tile": in_tile(precision, x.dtype),
        **chosen_tiles.options(),
    }
    read, row_scales = taken(x, precision)
    _gate_up[(triton.cdiv(size, chosen_tiles.out // 2), row_tiles)](
        *kept(gate_up, x.dtype), read, row_scales, order, plan, inner, read.stride(0), k, size,
        hidden=hidden, whole=size % (chosen_tiles.out // 2) == 0, **shared,
    )  # fmt: skip
    _down[(triton.cdiv(hidden, chosen_tiles.out), row_tiles)](
        *kept(down, x.dtype), *taken(inner, precision), order, plan, weights.float().contiguous(),
        parts, hidden, size=size, whole=hidden % chosen_tiles.out == 0, **shared,
    )  # fmt: skip
    return parts


def tiles_for(rows: float, precision: Precision, dtype: torch.dtype) -> ProductTiles:
    """By the rows that an expert has on average; ``dtype`` is of what is multiplied."""
    return next(x for most, x in _tiles_of(precision, dtype).items() if rows <= most)


def tiles_of(precision: Precision, dtype: torch.dtype) -> tuple[ProductTiles, ...]:
    """All that may be chosen."""
    return tuple(_tiles_of(precision, dtype).values())


def _tiles_of(precision: Precision, dtype: torch.dtype) -> dict[float, ProductTiles]:
    if precision is not Precision.FP8 and dtype == torch.float32:
        return _FLOAT32
    # Weights in float32 are multiplied as bfloat16 with rows that are.
    return _TILES.get(precision, _TILES[Precision.BFLOAT16])


@triton.jit
def _gate_up(
    values,
    scales,
    scale_out,
    scale_group,
    x,
    row_scales,
    order,
    plan,
    inner,
    x_row,
    k,
    size,
    experts,
    hidden: tl.constexpr,
    kind: tl.constexpr,
    operand: tl.constexpr,
    out_tile: tl.constexpr,
    row_tile: tl.constexpr,
    in_tile: tl.constexpr,
    whole: tl.constexpr,
):
    tile, tiles = tl.program_id(1), tl.num_programs(1)
    expert = tl.load(plan + tile)
    first, end = tl.load(plan + tiles + tile), tl.load(plan + 2 * tiles + tile)
    if expert < experts:
        half: tl.constexpr = out_tile // 2
        both = tl.arange(0, out_tile)
        out = tl.program_id(0) * half + both + (both // half) * (size - half)
        if not whole:
            out = tl.minimum(out, 2 * size - 1)
        out += expert.to(tl.int64) * (2 * size)
        row = first + tl.arange(0, row_tile)
        held = row < end
        token = tl.load(order + row, mask=held, other=0) // k
        row_scale = tl.zeros([row_tile], tl.float32)
        if kind == FP8:
            row_scale = tl.load(row_scales + token)
        total = weight_times_rows(
            values,
            scales,
            scale_out,
            scale_group,
            x,
            out,
            token.to(tl.int64) * x_row,
            held,
            row_scale,
            hidden,
            kind,
            operand,
            out_tile,
            row_tile,
            in_tile,
        )
        dtype = inner.dtype.element_ty
        pairs = tl.permute(tl.reshape(nearest(total, dtype), (2, half, row_tile)), (2, 1, 0))
        gate, up = tl.split(pairs)
        gated = nearest(_gelu(gate.to(tl.float32)), dtype).to(tl.float32) * up.to(tl.float32)
        unit = tl.program_id(0) * half + tl.arange(0, half)
        at = row.to(tl.int64)[:, None] * size + unit[None, :]
        mask = held[:, None] & (unit < size)[None, :]
        tl.store(inner + at, nearest(gated, dtype), mask=mask)


@triton.jit
def _down(
    values,
    scales,
    scale_out,
    scale_group,
    inner,
    row_scales,
    order,
    plan,
    weights,
    parts,
    hidden,
    experts,
    size: tl.constexpr,
    kind: tl.constexpr,
    operand: tl.constexpr,
    out_tile: tl.constexpr,
    row_tile: tl.constexpr,
    in_tile: tl.constexpr,
    whole: tl.constexpr,
):
    tile, tiles = tl.program_id(1), tl.num_programs(1)
    expert = tl.load(plan + tile)
    first, end = tl.load(plan + tiles + tile), tl.load(plan + 2 * tiles + tile)
    if expert < experts:
        across = tl.program_id(0) * out_tile + tl.arange(0, out_tile)
        row = first + tl.arange(0, row_tile)
        held = row < end
        row_scale = tl.zeros([row_tile], tl.float32)
        if kind == FP8:
            row_scale = tl.load(row_scales + row, mask=held, other=0.0)
        total = weight_times_rows(
            values,
            scales,
            scale_out,
            scale_group,
            inner,
            expert.to(tl.int64) * hidden + (across if whole else tl.minimum(across, hidden - 1)),
            row.to(tl.int64) * size,
            held,
            row_scale,
            size,
            kind,
            operand,
            out_tile,
            row_tile,
            in_tile,
        )
        dtype = parts.dtype.element_ty
        assignment = tl.load(order + row, mask=held, other=0)
        weight = tl.load(weights + assignment, mask=held, other=0.0)
        visit = tl.trans(nearest(total, dtype)).to(tl.float32) * weight[:, None]
        at = assignment.to(tl.int64)[:, None] * hidden + across[None, :]
        mask = held[:, None] & (across < hidden)[None, :]
        tl.store(parts + at, nearest(visit, dtype), mask=mask)


@triton.jit
def _gelu(x):
    """The tanh form, float32."""
    return 0.5 * x * (1.0 + tanh((x + x * x * x * _CUBIC) * _ROOT))
