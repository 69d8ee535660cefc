"""Assignments of tokens to experts, sorted by expert and then by token, in one launch.

A program has some assignments in a row, and counts for itself how many each expert has before
them and in all, which takes 8 instructions an assignment and no exchange between programs; where
each of its own goes follows from the counts, and from a comparison of each with those of its block
before it. 2048 assignments are 32 programs of a block each, which are bound by the launch; 32,768
are 128 programs that read 256 KB each, from the cache, some 7 us.

Numbers are integers: however many programs there are, and whoever counts first, the order is that
of a stable sort.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Assignments that are placed together, and counted at a time.
_BLOCK, _CHUNK = 64, 2048
#: Programs at most.
_PROGRAMS = 128


def expert_order(chosen: Tensor, experts: int) -> tuple[Tensor, Tensor]:
    """Assignments in the order of experts, and where each expert's begin.

    Args:
        chosen: int64 [T, k], experts.
        experts: E.

    Returns:
        int32 [T k], numbers of assignments in ``chosen``, row by row; int32 [E + 1], the last of
        which is T k.
    """
    rows = chosen.numel()
    order = torch.empty(rows, dtype=torch.int32, device=chosen.device)
    starts = torch.empty(experts + 1, dtype=torch.int32, device=chosen.device)
    blocks = triton.cdiv(rows, _BLOCK)
    each = triton.cdiv(blocks, _PROGRAMS)
    _order[(triton.cdiv(blocks, each),)](
        chosen.contiguous(),
        order,
        starts,
        rows,
        each,
        experts,
        block=_BLOCK,
        chunk=_CHUNK,
        bins=max(32, triton.next_power_of_2(experts)),
        num_warps=8,
    )
    return order, starts


@triton.jit(do_not_specialize=["rows", "each"])
def _order(
    chosen,
    order,
    starts,
    rows,
    each,
    experts,
    block: tl.constexpr,
    chunk: tl.constexpr,
    bins: tl.constexpr,
):
    first = tl.program_id(0) * each * block
    before = _counts(chosen, 0, first, chunk, bins)
    counts = before + _counts(chosen, first, rows, chunk, bins)
    start = tl.cumsum(counts, axis=0) - counts
    expert = tl.arange(0, bins)
    tl.store(starts + expert, start, mask=expert < experts)
    tl.store(starts + experts, rows)
    start += before
    lane = tl.arange(0, block)
    for part in range(each):
        at = first + part * block + lane
        held = at < rows
        own = tl.load(chosen + at, mask=held, other=0).to(tl.int32)
        same = (own[:, None] == own[None, :]) & (lane[:, None] < lane[None, :])
        rank = tl.sum(same.to(tl.int32), axis=0)
        tl.store(order + tl.gather(start, own, 0) + rank, at, mask=held)
        start += tl.histogram(own, bins, mask=held)


@triton.jit
def _counts(chosen, first, end, chunk: tl.constexpr, bins: tl.constexpr):
    """How many of these assignments each expert has."""
    counts = tl.zeros([bins], tl.int32)
    for start in range(first, end, chunk):
        at = start + tl.arange(0, chunk)
        held = at < end
        own = tl.load(chosen + at, mask=held, other=0).to(tl.int32)
        counts += tl.histogram(own, bins, mask=held)
    return counts
