"""``engine.kernels.routing`` in Triton: one program a token, which holds its scores in registers.

The largest is taken k times. It is told by the scores themselves, whose order a softmax leaves as
it is, so that no rounding of an exponential decides which expert is visited. Score and expert are
one integer, so that each of the k takes one reduction: integers in the order of scores, and of
equal scores in the order of experts, the lowest being the largest. A score of bfloat16 leaves room
for the expert in 32 bits, of which a GPU finds the largest of a warp in one instruction.

Scores may come as sums over parts of their product's inputs (``engine.kernels.gpu_router``), which
are added here in order and rounded once. 256 tokens of 128 experts in 11 parts are 1.4 MB, from the
cache: bound by the launch, where PyTorch's softmax, sort and quotient are several. Weights differ
from the reference's in the order of sums alone, 1e-6 relative.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import nearest


def gpu_route(
    sums: Tensor, per_expert_scale: Tensor, top_k: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """See ``engine.kernels.routing.plain_route``.

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
