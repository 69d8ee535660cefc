"""``engine.kernels.routing`` in Triton: one program a token, which holds its scores in registers.

The largest is taken k times. It is told by the scores themselves, whose order a softmax leaves as
it is, so that no rounding of an exponential decides which expert is visited. 256 tokens of 128
experts in bfloat16 are 66 KB: bound by the launch, where PyTorch's softmax, sort and quotient are
several. Weights differ from the reference's in the order of sums alone, 1e-6 relative.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


def gpu_route(scores: Tensor, per_expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """See ``engine.kernels.routing.route``."""
    count, experts = scores.shape
    weights = torch.empty((count, top_k), dtype=torch.float32, device=scores.device)
    chosen = torch.empty((count, top_k), dtype=torch.int64, device=scores.device)
    if count:
        block = triton.next_power_of_2(experts)
        _route[(count,)](
            scores.contiguous(),
            per_expert_scale.contiguous(),
            weights,
            chosen,
            experts,
            top_k=top_k,
            top_block=triton.next_power_of_2(top_k),
            block=block,
            num_warps=max(1, min(8, block // 256)),
        )
    return weights, chosen


@triton.jit
def _route(
    scores,
    per_expert_scale,
    weights,
    chosen,
    experts,
    top_k: tl.constexpr,
    top_block: tl.constexpr,
    block: tl.constexpr,
):
    token = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    score = tl.load(scores + token * experts + at, mask=at < experts, other=float("-inf"))
    score = score.to(tl.float32)
    grown = tl.exp(score - tl.max(score, axis=0))
    share = grown / tl.sum(grown, axis=0)
    rank_at = tl.arange(0, top_block)
    best = tl.zeros([top_block], tl.int32)
    likely = tl.zeros([top_block], tl.float32)
    left = at < experts
    for rank in range(top_k):
        most = tl.max(tl.where(left, score, float("-inf")), axis=0)
        # The last expert where no score equals the largest: a NaN must not lead out of the table.
        expert = tl.min(tl.where(left & (score == most), at, experts - 1), axis=0)
        own = at == expert
        best = tl.where(rank_at == rank, expert, best)
        likely = tl.where(rank_at == rank, tl.sum(tl.where(own, share, 0.0), axis=0), likely)
        left = left & (at != expert)
    held = rank_at < top_k
    scale = tl.load(per_expert_scale + best, mask=held, other=0.0).to(tl.float32)
    spot = token * top_k + rank_at
    tl.store(weights + spot, likely / tl.sum(likely, axis=0) * scale, mask=held)
    tl.store(chosen + spot, best.to(tl.int64), mask=held)
