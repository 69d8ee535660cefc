"""``engine.kernels.weight_product`` in Triton, one kernel for every precision.

For one canvas, T = 256, N = 4224 and K = 2816 are 23.8 MB in bfloat16, 5.5 us at 4.3 TB/s, and 6.1
GFLOP, 7.7 us at 790 TFLOPS were all multiprocessors at work; 6 MB in int4. What binds is the cache:
each tile reads its weights and its rows from there, so tiles are as large as leaves most of the
multiprocessors one. For T = 8192 it is 195 GFLOP, 0.25 ms, and bound by arithmetic: the largest
tiles run through 8 tiles of rows before the next outputs, which keeps both sides in the cache. See
``engine.kernels.gpu_weight_tile`` for how the weights are decoded and why the bits of a row do not
depend on the tiles.

How near the reference: in float32, sums in another order. In bfloat16 the reference rounds weights
after they are scaled, 2^-9 of each, where here they are exact; both round the result once. In fp8
both take the same rounded rows, but Hopper's tensor cores add their products with some 13 bits:
4e-3 of the largest result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_decoding import FP8
from engine.kernels.gpu_numbers import nearest
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

#: Measured on an H200, the least traffic first; of what is decoded the largest do not fit
#: registers.
_AS_IT_IS = (
    ProductTiles(128, 256, 8, 3),
    ProductTiles(128, 128, 8, 4),
    ProductTiles(128, 64, 8, 6),
    ProductTiles(64, 64, 4, 4),
    ProductTiles(64, 32, 4, 6),
)
_DECODED = (
    ProductTiles(128, 64, 8, 4),
    ProductTiles(64, 64, 4, 3),
    ProductTiles(64, 32, 4, 3),
)
#: Of float32, which no tensor core multiplies.
_FLOAT32 = (ProductTiles(64, 16, 4, 4),)
#: Programs that leave few of an H200's 132 multiprocessors idle.
_ENOUGH = 88
#: Tiles of rows that are run through before the next outputs.
_BAND = tl.constexpr(8)


def gpu_weight_product(x: Rows, weight: Weight, *, tiles: ProductTiles | None = None) -> Tensor:
    """See ``engine.kernels.weight_product.weight_product``."""
    rows, (outputs, inputs) = len(x), weight.shape
    y = torch.empty((rows, outputs), dtype=x.dtype, device=weight.device)
    if not y.numel():
        return y
    chosen = tiles or tiles_for(rows, outputs, weight.precision, x.dtype)
    read, row_scales = taken(x, weight.precision)
    _product[(programs(rows, outputs, chosen),)](
        *kept(weight, y.dtype),
        read,
        row_scales,
        y,
        read.stride(0),
        rows,
        outputs,
        inputs=inputs,
        kind=KINDS[weight.precision],
        operand=operand_of(weight.precision, y.dtype),
        in_tile=in_tile(weight.precision, y.dtype),
        whole=outputs % chosen.out == 0,
        **chosen.options(),
    )
    return y


def tiles_for(rows: int, outputs: int, precision: Precision, dtype: torch.dtype) -> ProductTiles:
    """The largest tiles of which there are enough; ``dtype`` is of what is multiplied."""
    fitting = [t for t in tiles_of(precision, dtype) if t.rows <= max(32, rows)]
    return next((t for t in fitting if programs(rows, outputs, t) >= _ENOUGH), fitting[-1])


def programs(rows: int, outputs: int, tiles: ProductTiles) -> int:
    """How many programs a product is with these tiles."""
    return -(-rows // tiles.rows) * -(-outputs // tiles.out)


def tiles_of(precision: Precision, dtype: torch.dtype) -> tuple[ProductTiles, ...]:
    """All that may be chosen."""
    if precision is Precision.FP8:
        return _AS_IT_IS
    if dtype == torch.float32:
        return _FLOAT32
    return _DECODED if precision in (Precision.INT8, Precision.INT4) else _AS_IT_IS


@triton.jit(do_not_specialize=["rows"])
def _product(
    values,
    scales,
    scale_out,
    scale_group,
    x,
    row_scales,
    y,
    x_row,
    rows,
    outputs,
    inputs: tl.constexpr,
    kind: tl.constexpr,
    operand: tl.constexpr,
    out_tile: tl.constexpr,
    row_tile: tl.constexpr,
    in_tile: tl.constexpr,
    whole: tl.constexpr,
):
    program = tl.program_id(0)
    row_tiles, out_tiles = tl.cdiv(rows, row_tile), tl.cdiv(outputs, out_tile)
    band = program // (_BAND * out_tiles)
    in_band = tl.minimum(row_tiles - band * _BAND, _BAND)
    within = program - band * _BAND * out_tiles
    row = (band * _BAND + within % in_band) * row_tile + tl.arange(0, row_tile)
    out = (within // in_band) * out_tile + tl.arange(0, out_tile)
    row, out = row.to(tl.int64), out.to(tl.int64)
    row_held, out_held = row < rows, out < outputs
    row_scale = tl.zeros([row_tile], tl.float32)
    if kind == FP8:
        row_scale = tl.load(row_scales + row, mask=row_held, other=0.0)
    total = weight_times_rows(
        values,
        scales,
        scale_out,
        scale_group,
        x,
        out if whole else tl.minimum(out, outputs - 1),
        row * x_row,
        row_held,
        row_scale,
        inputs,
        kind,
        operand,
        out_tile,
        row_tile,
        in_tile,
    )
    result = tl.trans(nearest(total, y.dtype.element_ty))
    at = row[:, None] * outputs + out[None, :]
    tl.store(y + at, result, mask=row_held[:, None] & out_held[None, :])
