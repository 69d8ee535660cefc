"""Assignments of tokens to experts, sorted by expert and then by token, in one launch.

A program has some assignments in a row, and counts for itself how many each expert has before
them and in all, which takes 8 instructions an assignment and no exchange between programs; where
each of its own goes follows from the counts, and from a comparison of each with those of its block
before it. 2048 assignments are 32 programs of a block each, which are bound by the launch; 32,768
are 128 programs that read 256 KB each, from the cache, some 7 us.

Numbers are integers: however many programs there are, and whoever counts first, the order is that
of a stable sort.

The programs of a product with the experts' weights each have a tile of rows of one expert. Which
tile it is they would each have to count from where experts begin, several exchanges between threads
before a program asks for its first weight; so it is written down here.
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
#: Tiles that are found at a time.
_SOME = 16


def expert_order(chosen: Tensor, experts: int, row_tile: int) -> tuple[Tensor, Tensor]:
    """Assignments in the order of experts, and the tiles of rows that they make.

    Args:
        chosen: int64 [T, k], experts.
        experts: E.
        row_tile: rows of a tile.

    Returns:
        int32 [T k], numbers of assignments in ``chosen``, row by row; int32 [3, tiles], of each
        tile its expert, its first row in that order, and where the expert's rows end. There are as
        many tiles as there could be; the expert of those that are too many is E.
    """
    rows = chosen.numel()
    order = torch.empty(rows, dtype=torch.int32, device=chosen.device)
    tiles = rows // row_tile + min(experts, rows)
    plan = torch.empty((3, tiles), dtype=torch.int32, device=chosen.device)
    blocks = triton.cdiv(rows, _BLOCK)
    each = triton.cdiv(blocks, _PROGRAMS)
    _order[(triton.cdiv(blocks, each),)](
        chosen.contiguous(),
        order,
        plan,
        rows,
        each,
        experts,
        tiles,
        row_tile=row_tile,
        some=_SOME,
        block=_BLOCK,
        chunk=_CHUNK,
        bins=max(32, triton.next_power_of_2(experts)),
        num_warps=8,
    )
    return order, plan


@triton.jit(do_not_specialize=["rows", "each", "tiles"])
def _order(
    chosen,
    order,
    plan,
    rows,
    each,
    experts,
    tiles,
    row_tile: tl.constexpr,
    some: tl.constexpr,
    block: tl.constexpr,
    chunk: tl.constexpr,
    bins: tl.constexpr,
):
    first = tl.program_id(0) * each * block
    before = _counts(chosen, 0, first, chunk, bins)
    counts = before + _counts(chosen, first, rows, chunk, bins)
    start = tl.cumsum(counts, axis=0) - counts
    for tile in range(tl.program_id(0) * some, tiles, tl.num_programs(0) * some):
        _write_tiles(plan, tile, tiles, start, counts, experts, row_tile, some, bins)
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
def _write_tiles(
    plan,
    first,
    tiles,
    start,
    counts,
    experts,
    row_tile: tl.constexpr,
    some: tl.constexpr,
    bins: tl.constexpr,
):
    """Which rows some tiles have, from where experts begin and how many rows each has."""
    tile, expert = first + tl.arange(0, some), tl.arange(0, bins)
    each = (counts + row_tile - 1) // row_tile
    past = (tl.cumsum(each, axis=0)[None, :] <= tile[:, None]) & (expert < experts)[None, :]
    chosen = tl.sum(past.to(tl.int32), axis=1)
    within = tile - tl.sum(tl.where(past, each[None, :], 0), axis=1)
    own = expert[None, :] == chosen[:, None]
    begin = tl.sum(tl.where(own, start[None, :], 0), axis=1)
    end = tl.sum(tl.where(own, (start + counts)[None, :], 0), axis=1)
    held = tile < tiles
    tl.store(plan + tile, chosen, mask=held)
    tl.store(plan + tiles + tile, begin + within * row_tile, mask=held)
    tl.store(plan + 2 * tiles + tile, end, mask=held)


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
