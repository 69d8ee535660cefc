"""``engine.kernels.segment_attention`` in Triton: softmax as the keys come by, in float32.

A program takes some positions of one segment, with all query heads that share a head of keys and
values as rows of one tile, so that a tile of keys is read once for them (online softmax: Milakov
and Gimelshein 2018, arXiv 1805.02867; tiles: Dao 2023, arXiv 2307.08691). It goes through the
pages, from the first that its rows see, and then through the segment's own keys.

A segment gives the same in any batch: tiles are cut at fixed positions, in one order, by sizes that
depend on dtype and head size alone. Nothing is split among programs and joined again. A tile that a
row does not see leaves its sums as they are, to the bit, so that it may be skipped or not.

For a canvas of 256 at 16 heads of 256 over a window of 1,024 that is 5.4 GFLOP and 10 MB of keys
and values a layer, which 8 programs a head of keys read each, all but the first from the cache.

How near the reference: float32, sums in another order, 1e-5. In bfloat16 weights are rounded before
they are multiplied with the values, as in PyTorch's own fused kernels: 2^-7.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import ABSENT, INTERPRETED, nearest
from engine.kernels.segment_attention import PAGE, Segments


@dataclass(frozen=True)
class Tiles:
    """How a program cuts its work.

    Attributes:
        rows: query heads times positions.
        keys: at a time; divides a page.
        warps: of a program.
        stages: tiles of keys that are under way at once.
    """

    rows: int
    keys: int
    warps: int
    stages: int


def tiles_of(dtype: torch.dtype, block: int) -> Tiles:
    """What fits a Hopper GPU's registers and shared memory, for heads padded to ``block``."""
    if dtype == torch.float32:
        return Tiles(16, 16, 4, 1) if block > 128 else Tiles(32, 32, 4, 2)
    if block > 256:
        return Tiles(64, 32, 8, 2)
    return Tiles(64, 64, 4 if block <= 128 else 8, 2)


def gpu_segment_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    key_pages: Tensor,
    value_pages: Tensor,
    segments: Segments,
    *,
    causal: bool,
    window: int | None = None,
    tiles: Tiles | None = None,
) -> Tensor:
    """See ``engine.kernels.segment_attention.segment_attention``."""
    out = torch.zeros(q.shape, dtype=q.dtype, device=q.device)
    size, heads = q.shape[2], k.shape[1]
    count, group = len(segments.starts), q.shape[1] // heads
    if not (count and segments.longest):
        return out
    q = q if q.stride(2) == 1 else q.contiguous()
    k, v = k.contiguous(), v.contiguous()
    block = max(16, triton.next_power_of_2(size))
    tiles = tiles or tiles_of(q.dtype, block)
    sharing = min(triton.next_power_of_2(group), tiles.rows)
    across = triton.cdiv(segments.longest, tiles.rows // sharing)
    _attend[(across, heads * triton.cdiv(group, sharing), count)](
        q,
        k,
        v,
        key_pages,
        value_pages,
        out,
        segments.starts.contiguous(),
        segments.lengths.contiguous(),
        segments.past.contiguous(),
        segments.pages.contiguous(),
        *q.stride()[:2],
        key_pages.stride(0),
        value_pages.stride(0),
        segments.pages.shape[1],
        heads,
        group,
        window or 0,
        causal=causal,
        windowed=window is not None,
        operand=tl.float32 if INTERPRETED.value or q.dtype == torch.float32 else tl.bfloat16,
        size=size,
        block=block,
        page_size=PAGE,
        sharing=sharing,
        row_tile=tiles.rows,
        key_tile=tiles.keys,
        num_warps=tiles.warps,
        num_stages=tiles.stages,
    )
    return out


@triton.jit(do_not_specialize=["table_size"])
def _attend(
    q,
    k,
    v,
    key_pages,
    value_pages,
    out,
    starts,
    lengths,
    pasts,
    pages,
    q_token,
    q_head,
    key_page,
    value_page,
    table_size,
    heads,
    group,
    window,
    causal: tl.constexpr,
    windowed: tl.constexpr,
    operand: tl.constexpr,
    size: tl.constexpr,
    block: tl.constexpr,
    page_size: tl.constexpr,
    sharing: tl.constexpr,
    row_tile: tl.constexpr,
    key_tile: tl.constexpr,
):
    """Some positions of a segment, at the query heads that share one head of keys."""
    segment = tl.program_id(2)
    length = tl.load(lengths + segment)
    first = tl.program_id(0) * (row_tile // sharing)
    if first < length:
        head, part = tl.program_id(1) % heads, tl.program_id(1) // heads
        past = tl.load(pasts + segment)
        start = tl.load(starts + segment).to(tl.int64)
        row = tl.arange(0, row_tile)
        offset, member = row // sharing, part * sharing + row % sharing
        place = first + offset
        lane, step = tl.arange(0, block), tl.arange(0, key_tile)
        wide = lane < size
        present = ((place < length) & (member < group))[:, None] & wide[None, :]
        # What is far is added to the pointer as one number, which takes fewer registers.
        q += (start + first) * q_token + head * group * q_head
        query_at = (offset * q_token + member * q_head)[:, None] + lane[None, :]
        query = tl.load(q + query_at, mask=present, other=0.0).to(operand)
        top = tl.full([row_tile], ABSENT, tl.float32)
        weight = tl.zeros([row_tile], tl.float32)
        total = tl.zeros([row_tile, block], tl.float32)

        # Keys by their positions in the sequence: in pages up to ``past``, then the segment's own.
        oldest, nearest_own, last = 0, 0, length
        if windowed:
            oldest = tl.maximum(past + (first if causal else 0) - (window - 1), 0)
        if causal:
            last = tl.minimum(length, first + row_tile // sharing)
            if windowed:
                nearest_own = tl.maximum(first - (window - 1), 0) // key_tile
        first_tile = oldest // key_tile
        paged = tl.maximum(tl.cdiv(past, key_tile) - first_tile, 0)
        tiles = paged + tl.cdiv(last, key_tile) - nearest_own
        k += start * (heads * size) + head * size
        v += start * (heads * size) + head * size
        key_pages += head * size
        value_pages += head * size
        spot = step[:, None] * (heads * size) + lane[None, :]
        for tile in range(tiles):
            own = tile >= paged
            at = (nearest_own + tile - paged if own else first_tile + tile) * key_tile
            entry = at // page_size % table_size
            page = tl.load(pages + segment * table_size + entry).to(tl.int64)
            within = (at if own else at % page_size) * (heads * size)
            some_keys = k if own else key_pages + page * key_page
            some_values = v if own else value_pages + page * value_page
            position = (at + past if own else at) + step
            held = (position >= oldest) & (position < (past + length if own else past))
            seen = held[:, None] & wide[None, :]
            keys = tl.load(some_keys + within + spot, mask=seen, other=0.0)
            values = tl.load(some_values + within + spot, mask=seen, other=0.0)
            visible = held[None, :]
            if causal:
                behind = past + place[:, None] - position[None, :]
                visible = visible & (behind >= 0)
                if windowed:
                    visible = visible & (behind < window)
            top, weight, total = _with_tile(
                query, keys, values, visible, top, weight, total, operand
            )

        total *= (1.0 / tl.where(weight == 0, 1.0, weight))[:, None]
        out += ((start + first) * heads + head) * (group * size)
        answer = (offset * (heads * group) + member)[:, None] * size + lane[None, :]
        tl.store(out + answer, nearest(total, out.dtype.element_ty), mask=present)


@triton.jit
def _with_tile(query, keys, values, visible, top, weight, total, operand: tl.constexpr):
    """Running maximum, sum of weights and weighted sum of values, with one more tile of keys."""
    scores = tl.dot(query, tl.trans(keys.to(operand)), input_precision="ieee")
    scores = tl.where(visible, scores, ABSENT)
    grown = tl.maximum(top, tl.max(scores, axis=1))
    shrink = tl.exp(top - grown)
    share = tl.where(visible, tl.exp(scores - grown[:, None]), 0.0)
    weight = weight * shrink + tl.sum(share, axis=1)
    share = nearest(share, values.dtype).to(operand)
    total = tl.dot(share, values.to(operand), total * shrink[:, None], input_precision="ieee")
    return grown, weight, total
