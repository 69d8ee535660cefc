"""``engine.kernels.router`` in Triton: a product in parts of its inputs, then the choice.

128 outputs are too few programs for a GPU, and each would wait for memory 44 times, one tile of
inputs after another, so that the product of 256 rows took as long as one with 20 times the
outputs. Inputs are cut into parts of 256, each a program's: tiles of a part are all on their way
at once. Sums of parts, float32, are added in order by ``engine.kernels.gpu_routing``, which
rounds them once: at 256 rows of D = 2816 they are 1.4 MB, which stay in the cache.

Parts depend on D alone, and rows of a tile do not change a row's bits, as
``engine.kernels.gpu_weight_tile`` says. How near the reference: sums in another order, rounded
once, as the reference's are.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_routing import gpu_route
from engine.kernels.gpu_tiles import Tiles
from engine.kernels.gpu_weight_tile import in_tile, operand_of
from engine.precision.precision import Precision

#: Inputs of a part.
_PART = 256
#: Of bfloat16, up to so many rows. One tile of inputs is multiplied while four are on their way: a
#: whole part.
_FEW, _MANY, _MOST_FEW = Tiles(64, 32, 4, 5), Tiles(128, 64, 4, 5), 1024
#: Of float32, which no tensor core multiplies.
_FLOAT32 = Tiles(64, 32, 4, 5)


def gpu_choose_experts(
    x: Tensor, router: Tensor, per_expert_scale: Tensor, top_k: int
) -> tuple[Tensor, Tensor]:
    """See ``engine.kernels.router.choose_experts``; ``router``: its values, [E, D]."""
    (count, inputs), experts = x.shape, len(router)
    x = x if x.stride(1) == 1 else x.contiguous()
    parts = triton.cdiv(inputs, _PART)
    sums = torch.empty((parts, count, experts), dtype=torch.float32, device=x.device)
    if count:
        tiles, precision = tiles_for(count, x.dtype), Precision.of(x.dtype)
        _score[(triton.cdiv(count, tiles.rows), triton.cdiv(experts, tiles.out), parts)](
            router.to(x.dtype).contiguous(),
            x,
            sums,
            x.stride(0),
            count,
            experts,
            inputs=inputs,
            part=_PART,
            operand=operand_of(precision, x.dtype),
            in_tile=in_tile(precision, x.dtype),
            **tiles.options(),
        )
    return gpu_route(sums, per_expert_scale, top_k, x.dtype)


def tiles_for(rows: int, dtype: torch.dtype) -> Tiles:
    """By the number of rows."""
    if dtype == torch.float32:
        return _FLOAT32
    return _FEW if rows <= _MOST_FEW else _MANY


def tiles_of(dtype: torch.dtype) -> tuple[Tiles, ...]:
    """All that may be chosen."""
    return (_FLOAT32,) if dtype == torch.float32 else (_FEW, _MANY)


@triton.jit(do_not_specialize=["rows"])
def _score(
    values,
    x,
    sums,
    x_row,
    rows,
    outputs,
    inputs: tl.constexpr,
    part: tl.constexpr,
    operand: tl.constexpr,
    out_tile: tl.constexpr,
    row_tile: tl.constexpr,
    in_tile: tl.constexpr,
):
    """The sum over one part of the inputs, of some outputs and rows."""
    row = tl.program_id(0).to(tl.int64) * row_tile + tl.arange(0, row_tile)
    out = tl.program_id(1) * out_tile + tl.arange(0, out_tile)
    row_held, out_held = row < rows, out < outputs
    total = tl.zeros([out_tile, row_tile], tl.float64 if operand == tl.float64 else tl.float32)
    for first in range(0, part, in_tile):
        k = tl.program_id(2) * part + first + tl.arange(0, in_tile)
        held = k < inputs
        at = values + out[:, None] * inputs + k[None, :]
        left = tl.load(at, mask=out_held[:, None] & held[None, :], other=0.0).to(operand)
        at = x + row[None, :] * x_row + k[:, None]
        right = tl.load(at, mask=held[:, None] & row_held[None, :], other=0.0).to(operand)
        total = tl.dot(left, right, total, input_precision="ieee", out_dtype=total.dtype)
    at = (tl.program_id(2).to(tl.int64) * rows + row[:, None]) * outputs + out[None, :]
    mask = row_held[:, None] & out_held[None, :]
    tl.store(sums + at, tl.trans(total.to(tl.float32)), mask=mask)
