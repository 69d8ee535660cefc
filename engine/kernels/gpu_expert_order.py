"""Assignments of tokens to experts, sorted by expert and then by token, in one launch or two.

A program has some assignments in a row. Where each of its own goes follows from how many each
expert has before them and in all, and from a comparison of each with those of its block before it.
Of few assignments each program counts all for itself, with no exchange between programs: 2048 are
32 programs of a block each. Many would have each program read all that the others read, 30 us for
32,768 on an H200; so a launch before counts each program's own.

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
#: The same of a program that counts its own, and programs whose counts are added at a time.
_OWN, _TOGETHER = 256, 32
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
    programs, bins = triton.cdiv(blocks, each), max(32, triton.next_power_of_2(experts))
    chosen, counted = chosen.contiguous(), each > 1
    counts = plan  # not read
    if counted:
        counts = torch.empty((programs, bins), dtype=torch.int32, device=chosen.device)
        _count[(programs,)](
            chosen, counts, rows, each, block=_BLOCK, chunk=_OWN, bins=bins, num_warps=4
        )
    _order[(programs,)](
        chosen,
        counts,
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
        bins=bins,
        counted=counted,
        together=_TOGETHER,
        num_warps=8,
    )
    return order, plan


@triton.jit(do_not_specialize=["rows", "each", "tiles"])
def _order(
    chosen,
    counts,
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
    counted: tl.constexpr,
    together: tl.constexpr,
):
    first = tl.program_id(0) * each * block
    if counted:
        before, total = _added(counts, together, bins)
    else:
        before = _counts(chosen, 0, first, chunk, bins)
        total = before + _counts(chosen, first, rows, chunk, bins)
    start = tl.cumsum(total, axis=0) - total
    for tile in range(tl.program_id(0) * some, tiles, tl.num_programs(0) * some):
        _write_tiles(plan, tile, tiles, start, total, experts, row_tile, some, bins)
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


@triton.jit(do_not_specialize=["rows", "each"])
def _count(
    chosen, counts, rows, each, block: tl.constexpr, chunk: tl.constexpr, bins: tl.constexpr
):
    """How many of a program's own assignments each expert has."""
    program = tl.program_id(0)
    first = program * each * block
    own = _counts(chosen, first, tl.minimum(first + each * block, rows), chunk, bins)
    tl.store(counts + program * bins + tl.arange(0, bins), own)


@triton.jit
def _added(counts, together: tl.constexpr, bins: tl.constexpr):
    """What programs before this one, and all, have counted."""
    before, total = tl.zeros([bins], tl.int32), tl.zeros([bins], tl.int32)
    programs = tl.num_programs(0)
    for first in range(0, programs, together):
        program = first + tl.arange(0, together)
        at = counts + program[:, None] * bins + tl.arange(0, bins)[None, :]
        some = tl.load(at, mask=(program < programs)[:, None], other=0)
        total += tl.sum(some, axis=0)
        before += tl.sum(tl.where((program < tl.program_id(0))[:, None], some, 0), axis=0)
    return before, total


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
