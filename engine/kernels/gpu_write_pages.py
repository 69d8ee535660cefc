"""``engine.kernels.write_pages`` in Triton: a copy, one program a token."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.segment_attention import PAGE, Segments


def gpu_write_pages(
    keys: Tensor, values: Tensor, key_pages: Tensor, value_pages: Tensor, segments: Segments
) -> None:
    """See ``engine.kernels.write_pages.write_pages``."""
    size, count = keys.shape[1] * keys.shape[2], len(segments.starts)
    if not (count and segments.longest):
        return
    block = triton.next_power_of_2(size)
    _write[(segments.longest, count)](
        keys.contiguous(),
        values.contiguous(),
        key_pages,
        value_pages,
        segments.starts.contiguous(),
        segments.lengths.contiguous(),
        segments.past.contiguous(),
        segments.pages.contiguous(),
        key_pages.stride(0),
        value_pages.stride(0),
        segments.pages.shape[1],
        size,
        page_size=PAGE,
        block=block,
        num_warps=min(8, max(1, block // 256)),
    )


@triton.jit(do_not_specialize=["table_size"])
def _write(
    keys,
    values,
    key_pages,
    value_pages,
    starts,
    lengths,
    pasts,
    pages,
    key_page,
    value_page,
    table_size,
    size,
    page_size: tl.constexpr,
    block: tl.constexpr,
):
    """One token of a segment, unless a later one of it takes its place."""
    offset, segment = tl.program_id(0), tl.program_id(1)
    length = tl.load(lengths + segment)
    if (offset < length) & (offset >= length - table_size * page_size):
        position = tl.load(pasts + segment) + offset
        entry = segment * table_size + position // page_size % table_size
        page = tl.load(pages + entry).to(tl.int64)
        at = tl.arange(0, block)
        held = at < size
        own = (tl.load(starts + segment) + offset).to(tl.int64) * size + at
        spot = position % page_size * size + at
        tl.store(key_pages + page * key_page + spot, tl.load(keys + own, mask=held), mask=held)
        value = tl.load(values + own, mask=held)
        tl.store(value_pages + page * value_page + spot, value, mask=held)
