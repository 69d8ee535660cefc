"""``engine.kernels.router`` in Triton: a product in parts of its inputs, then the choice.

128 outputs are too few programs for a GPU, and each would wait for memory 44 times, one tile of
inputs after another, so that the product of 256 rows took as long as one with 20 times the
outputs. Inputs are cut into parts of 256, each a program's: tiles of a part are all on their way
at once. Parts depend on D alone, and rows of a tile do not change a row's bits, as
``engine.kernels.gpu_weight_tile`` says.

The choice has one program a token, which adds the parts' sums, float32, in order, rounds them once
and holds the scores in registers: 256 tokens of 128 experts in 11 parts are 1.4 MB, from the cache,
bound by the launch. The largest is taken k times. It is told by the scores themselves, whose order
a softmax leaves as it is, so that no rounding of an exponential decides which expert is visited.
Score and expert are one integer, so that each of the k takes one reduction: integers in the order
of scores, and of equal scores in the order of experts, the lowest being the largest. A score of
bfloat16 leaves room for the expert in 32 bits, of which a GPU finds the largest of a warp in one
instruction.

How near the reference: sums in another order, rounded once, as the reference's are; weights of the
same scores 1e-6 relative.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import nearest
from engine.kernels.gpu_product_tiles import ProductTiles
from engine.kernels.gpu_weight_tile import in_tile, operand_of
from engine.precision.precision import Precision

#: Inputs of a part.
_PART = 256
#: Of bfloat16, up to so many rows. One tile of inputs is multiplied while four are on their way: a
#: whole part.
_FEW, _MANY, _MOST_FEW = ProductTiles(64, 32, 4, 5), ProductTiles(128, 64, 4, 5), 1024
#: Of float32, which no tensor core multiplies.
_FLOAT32 = ProductTiles(64, 32, 4, 5)


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


def gpu_route(
    sums: Tensor, per_expert_scale: Tensor, top_k: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """See ``engine.kernels.router.plain_route``.

    Scores, in ``dtype``, are the sums of [P, T, E] over P.
    """
    parts, count, experts = sums.shape
    weights = torch.empty((count, top_k), dtype=torch.float32, device=sums.device)
    chosen = torch.empty((count, top_k), dtype=torch.int64, device=sums.device)
    if count:
        block = triton.next_power_of_2(experts)
        _route[(count,)](
            sums.contiguous(),
            per_expert_scale.contiguous(),
            weights,
            chosen,
            experts,
            parts=parts,
            narrow=dtype == torch.bfloat16,
            top_k=top_k,
            top_block=triton.next_power_of_2(top_k),
            block=block,
            num_warps=max(1, min(8, block // 256)),
        )
    return weights, chosen


def tiles_for(rows: int, dtype: torch.dtype) -> ProductTiles:
    """By the number of rows."""
    if dtype == torch.float32:
        return _FLOAT32
    return _FEW if rows <= _MOST_FEW else _MANY


def tiles_of(dtype: torch.dtype) -> tuple[ProductTiles, ...]:
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


@triton.jit
def _route(
    sums,
    per_expert_scale,
    weights,
    chosen,
    experts,
    parts: tl.constexpr,
    narrow: tl.constexpr,
    top_k: tl.constexpr,
    top_block: tl.constexpr,
    block: tl.constexpr,
):
    token = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    held = at < experts
    score = tl.zeros([block], tl.float32)
    for part in tl.static_range(parts):
        row = part * tl.num_programs(0) + token
        score += tl.load(sums + row * experts + at, mask=held, other=0.0).to(tl.float32)
    if narrow:
        score = nearest(score, tl.bfloat16).to(tl.float32)
    score = tl.where(held, score, float("-inf"))
    most = tl.max(score, axis=0)
    total = tl.sum(tl.exp(score - most), axis=0)
    nothing: tl.constexpr = -(2**31) if narrow else -(2**63)
    left = tl.where(held, _keyed(score, at, narrow), nothing)
    rank_at = tl.arange(0, top_block)
    best = tl.full([top_block], nothing, left.dtype)
    for rank in tl.static_range(top_k):
        likeliest = tl.max(left, axis=0)
        best = tl.where(rank_at == rank, likeliest, best)
        left = tl.where(left == likeliest, nothing, left)
    held = rank_at < top_k
    score, expert = _unkeyed(best, narrow)
    likely = tl.where(held, tl.exp(score - most) / total, 0.0)
    scale = tl.load(per_expert_scale + expert, mask=held, other=0.0).to(tl.float32)
    spot = token * top_k + rank_at
    tl.store(weights + spot, likely / tl.sum(likely, axis=0) * scale, mask=held)
    tl.store(chosen + spot, expert.to(tl.int64), mask=held)


@triton.jit
def _keyed(score, expert, narrow: tl.constexpr):
    """Score and expert in one integer; negative floats are larger, the smaller their bits are.

    Narrow: of scores whose low 16 bits are 0, in 32 bits. Both zeros are the same.
    """
    bits = tl.where(score == 0.0, 0.0, score).to(tl.int32, bitcast=True)
    bits ^= (bits >> 31) & 0x7FFFFFFF
    if narrow:
        key = (bits & -0x10000) | (0xFFFF - expert)
    else:
        key = (bits.to(tl.int64) << 32) | (0x7FFFFFFF - expert).to(tl.int64)
    return key


@triton.jit
def _unkeyed(key, narrow: tl.constexpr):
    """What ``_keyed`` was given."""
    if narrow:
        bits, expert = key & -0x10000, 0xFFFF - (key & 0xFFFF)
        bits ^= (bits >> 31) & 0x7FFF0000
    else:
        bits, expert = (key >> 32).to(tl.int32), 0x7FFFFFFF - (key & 0x7FFFFFFF).to(tl.int32)
        bits ^= (bits >> 31) & 0x7FFFFFFF
    return bits.to(tl.float32, bitcast=True), expert
