"""``engine.kernels.segment_attention`` in Triton: softmax as the keys come by, in float32.

A program takes some positions of one segment, with all query heads that share a head of keys and
values as rows of one tile, so that a tile of keys is read once for them (online softmax: Milakov
and Gimelshein 2018, arXiv 1805.02867; tiles: Dao 2023, arXiv 2307.08691). It goes through the
pages, from the first that its rows see, and then through the segment's own keys.

A segment gives the same in any batch: tiles of keys are cut at fixed positions, in one order, by
sizes that depend on dtype and head size alone. A tile that a row does not see leaves its sums as
they are, to the bit, so that it may be skipped or not. The rows of a tile, and how many of a head's
dimensions a program sums, are chosen by how many programs they leave: no number of one row or
dimension depends on another's. A group of four warps multiplies 64 rows at a time, by one
instruction for any tile of rows, and adds along keys and along a head in the same order for any
number of columns.

Keys are not split among programs. A canvas of 256 at 16 heads fills an H200 by tiles of 64 rows and
halves of the dimensions, 128 programs, for scores that are taken twice, half as many products again
at most. Parts of 256 keys would be shorter, but their sums in float32 are written and read again:
3 parts of 768 keys at 16 heads of 256 are 25 MB for a canvas, and 400 MB for 16 canvases, 100 us at
4 TB/s, beside 13 and 200 MB of everything else; and parts would have to be joined in any batch, or
bits would differ.

For a canvas of 256 at 16 heads of 256 over a window of 1,024 that is 5.4 GFLOP and 10 MB of keys
and values a layer, which each tile of rows reads again, all but the first from the cache: 128 rows
rather than 64 halve that, which is the bound of a full GPU.

How near the reference: float32, sums in another order, 1e-5. In bfloat16 weights are rounded before
they are multiplied with the values, as in PyTorch's own fused kernels: 2^-7.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_attention_tiles import AttentionTiles, filling, tiles_of
from engine.kernels.gpu_numbers import ABSENT, INTERPRETED, nearest
from engine.kernels.segment_attention import PAGE, Segments

#: Numbers that a program sets to zero at once.
_CLEARING = 1024
#: Below any score and far above ``ABSENT``, so that what is not seen has no weight.
_LOWEST = tl.constexpr(-5e29)
_LOG2_E = tl.constexpr(1.4426950408889634)


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
    tiles: AttentionTiles | None = None,
) -> Tensor:
    """See ``engine.kernels.segment_attention.segment_attention``; padding is left zero."""
    size, heads = q.shape[2], k.shape[1]
    count, group = len(segments.starts), q.shape[1] // heads
    if not (count and segments.longest):
        return torch.zeros(q.shape, dtype=q.dtype, device=q.device)
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    q = q if q.stride(2) == 1 else q.contiguous()
    k, v = k.contiguous(), v.contiguous()
    block = max(16, triton.next_power_of_2(size))
    some = (tiles,) if tiles else tiles_of(q.dtype, block, causal=causal)
    tiles = filling(some, count, segments.longest, heads, group, block)
    grid = (*tiles.programs(segments.longest, heads, group, block), count)
    _attend[grid](
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
        len(q),
        window or 0,
        causal=causal,
        windowed=window is not None,
        operand=tl.float32 if INTERPRETED.value or q.dtype == torch.float32 else tl.bfloat16,
        heads=heads,
        group=group,
        size=size,
        block=block,
        page_size=PAGE,
        sharing=tiles.sharing(group),
        row_tile=tiles.rows,
        key_tile=tiles.keys,
        value_tile=min(tiles.values, block),
        clearing=_CLEARING,
        num_warps=tiles.warps,
        num_stages=tiles.stages,
    )
    return out


@triton.jit(do_not_specialize=["table_size", "tokens"])
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
    tokens,
    window,
    causal: tl.constexpr,
    windowed: tl.constexpr,
    operand: tl.constexpr,
    heads: tl.constexpr,
    group: tl.constexpr,
    size: tl.constexpr,
    block: tl.constexpr,
    page_size: tl.constexpr,
    sharing: tl.constexpr,
    row_tile: tl.constexpr,
    key_tile: tl.constexpr,
    value_tile: tl.constexpr,
    clearing: tl.constexpr,
):
    """Some positions of a segment, at the query heads that share one head of keys."""
    positions: tl.constexpr = row_tile // sharing
    columns: tl.constexpr = block // value_tile
    segment = tl.program_id(2)
    length, past = tl.load(lengths + segment), tl.load(pasts + segment)
    start = tl.load(starts + segment).to(tl.int64)
    first = tl.program_id(0) * positions
    head, part = tl.program_id(1) % heads, tl.program_id(1) // heads
    part, column = part // columns, part % columns
    row = tl.arange(0, row_tile)
    offset, member = row // sharing, part * sharing + row % sharing
    lane, step = tl.arange(0, block), tl.arange(0, key_tile)
    value_lane, skipped = tl.arange(0, value_tile), column * value_tile
    if first < length:
        present = ((offset < length - first) & (member < group))[:, None]

        # Keys by their positions in the sequence: in pages up to ``past``, then the segment's own.
        oldest, nearest_own, last = 0, 0, length
        if windowed:
            oldest = tl.maximum(past + (first if causal else 0) - (window - 1), 0)
        if causal:
            last = tl.minimum(length, first + positions)
            if windowed:
                nearest_own = tl.maximum(first - (window - 1), 0) // key_tile
        first_tile = oldest // key_tile
        paged = tl.maximum(tl.cdiv(past, key_tile) - first_tile, 0)
        tiles = paged + tl.cdiv(last, key_tile) - nearest_own
        k += start * (heads * size) + head * size
        v += start * (heads * size) + head * size + skipped
        key_pages += head * size
        value_pages += head * size + skipped
        key_at = step[:, None] * (heads * size) + lane[None, :]
        value_at = step[:, None] * (heads * size) + value_lane[None, :]
        # Pages that are seen go around the ring once at most. Each is looked up a tile ahead.
        pages += segment * table_size
        turn = oldest // page_size // table_size * table_size
        page = tl.load(pages + _entry(first_tile * key_tile, turn, table_size, page_size))

        # What is far is added to the pointer as one number, which takes fewer registers.
        q += (start + first) * q_token + head * group * q_head
        query_at = (offset * q_token + member * q_head)[:, None] + lane[None, :]
        query = tl.load(q + query_at, mask=present & (lane < size)[None, :], other=0.0).to(operand)
        top = tl.full([row_tile], _LOWEST, tl.float32)
        weight = tl.zeros([row_tile], tl.float32)
        total = tl.zeros([row_tile, value_tile], tl.float32)
        for tile in range(tiles):
            own = tile >= paged
            at = (nearest_own + tile - paged if own else first_tile + tile) * key_tile
            coming = (first_tile + tl.minimum(tile + 1, tl.maximum(paged - 1, 0))) * key_tile
            coming = tl.load(pages + _entry(coming, turn, table_size, page_size))
            within = (at if own else at % page_size) * (heads * size)
            some_keys = k if own else key_pages + page.to(tl.int64) * key_page
            some_values = v if own else value_pages + page.to(tl.int64) * value_page
            page = coming
            position = at + past if own else at
            low, high = oldest - position, (past + length if own else past) - position
            held = (step >= low) & (step < high)
            seen, wanted = held[:, None], held[:, None]
            if size < block:
                seen = seen & (lane < size)[None, :]
                wanted = wanted & (value_lane < size - skipped)[None, :]
            keys = tl.load(some_keys + within + key_at, mask=seen, other=0.0)
            values = tl.load(some_values + within + value_at, mask=wanted, other=0.0)
            scores = tl.dot(query, tl.trans(keys.to(operand)), input_precision="ieee")
            partly = (low > 0) | (high < key_tile)
            if causal:
                ahead = position - (past + first)  # of the first row
                partly |= ahead + key_tile > 1
                if windowed:
                    partly |= positions - 1 - ahead >= window
            if partly:
                visible = ((step >= low) & (step < high))[None, :]
                if causal:
                    behind = offset[:, None] - (ahead + step)[None, :]
                    visible = visible & (behind >= 0)
                    if windowed:
                        visible = visible & (behind < window)
                scores = tl.where(visible, scores, ABSENT)
            top, weight, total = _with_tile(scores, values, top, weight, total, operand)
            total = _settled(total)

        total *= (1.0 / tl.where(weight == 0, 1.0, weight))[:, None]
        out_at = out + ((start + first) * heads + head) * (group * size) + skipped
        answer = (offset * (heads * group) + member)[:, None] * size + value_lane[None, :]
        wanted = present & (value_lane < size - skipped)[None, :]
        tl.store(out_at + answer, nearest(total, out.dtype.element_ty), mask=wanted)
    # What lies between segments is zero: before the first one, and after each.
    following = tl.cast(tokens, tl.int64)
    if segment + 1 < tl.num_programs(2):
        following = tl.load(starts + segment + 1).to(tl.int64)
    width: tl.constexpr = heads * group * size
    _clear(out, start + length, following, width, clearing)
    if segment == 0:
        _clear(out, tl.cast(0, tl.int64), start, width, clearing)


@triton.jit
def _entry(at, turn, table_size, page_size: tl.constexpr):
    """Where in its ring the page of position ``at`` is, which has been around it to ``turn``."""
    entry = at // page_size - turn
    return tl.where(entry >= table_size, entry - table_size, entry)


@triton.jit
def _with_tile(scores, values, top, weight, total, operand: tl.constexpr):
    """Running maximum, sum of weights and weighted sum of values, with one more tile of keys.

    The maximum is one of scores times log2(e), as all weights are powers of two. What a compiler
    might fuse in one place and not in another is fused here.
    """
    log2_e = tl.full(scores.shape, _LOG2_E, tl.float32)
    grown = tl.maximum(top, tl.max(scores, axis=1) * _LOG2_E)
    shrink = tl.exp2(top - grown)
    less = tl.broadcast_to(-grown[:, None], scores.shape)
    share = tl.exp2(tl.fma(scores, log2_e, less))
    weight = tl.fma(weight, shrink, tl.sum(share, axis=1))
    share = nearest(share, values.dtype).to(operand)
    total = tl.dot(share, values.to(operand), total * shrink[:, None], input_precision="ieee")
    return grown, weight, total


@triton.jit
def _settled(total):
    """The same, once the product that it comes from is done: no instruction, but a use of it.

    Else Triton lets the product run into the next turn, up to the wait for that turn's scores. Its
    weights lie in registers, and nothing keeps those until it has ended. It takes 7 % of the time.
    """
    if INTERPRETED:
        return total
    return tl.inline_asm_elementwise("", "=f,0", [total], dtype=tl.float32, is_pure=True, pack=1)


@triton.jit
def _clear(out, low, high, width: tl.constexpr, tile: tl.constexpr):
    """Zeros in the rows from ``low`` to ``high``, which the programs of a segment share."""
    across = tl.num_programs(0) * tl.num_programs(1)
    program = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    step = tl.arange(0, tile)
    for at in range(low * width + program * tile, high * width, across * tile):
        zeros = tl.zeros([tile], out.dtype.element_ty)
        tl.store(out + at + step, zeros, mask=at + step < high * width)
