"""Attention to a cached past, of canvases and of chunks of a prompt, and the cache's writing."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.gpu_contest import Contest, Heads, Sizes
from engine.kernels.segment_attention import (
    PAGE,
    Segments,
    plain_segment_attention,
    segment_attention,
)
from engine.kernels.write_pages import plain_write_pages, write_pages


def attention_contests(sizes: Sizes, tokens: int, device: torch.device) -> Iterator[Contest]:
    """For so many tokens, of canvases or of chunks; at least one of either."""
    canvases = max(1, tokens // sizes.length), sizes.length
    chunks = max(1, tokens // sizes.chunk), sizes.chunk
    for kind, heads in (("sliding", sizes.sliding), ("full", sizes.full)):
        yield _attention(kind, sizes, heads, canvases, False, device)
        yield _attention(kind, sizes, heads, chunks, True, device)
        yield _write(kind, sizes, heads, chunks, device)


def visible(length: int, past: int, *, causal: bool, window: int | None) -> int:
    """Pairs of a token of a segment and a position that it sees, past included."""
    before = past if window is None else min(past, window - 1)
    if not causal:
        return length * (before + length)
    return sum(min(past + i + 1, window or past + i + 1) for i in range(length))


def _attention(
    kind: str,
    sizes: Sizes,
    heads: Heads,
    shape: tuple[int, int],
    causal: bool,
    device: torch.device,
) -> Contest:
    count, length = shape
    segments = _segments(sizes, heads, shape, device)
    q = _random(count * length, sizes.heads, heads.size, device=device) * heads.size**-0.5
    (k, v), pages = _keys(heads, shape, device), _pages(segments, heads, device)
    given, window = (q, k, v, pages[0], pages[1], segments), heads.window
    before = sizes.past if window is None else min(sizes.past, window - 1)
    keys = count * (before + length) * heads.kv_heads * heads.size
    pairs = count * visible(length, sizes.past, causal=causal, window=window)
    return Contest(
        "segment_attention",
        f"{kind}, {'prompt' if causal else 'canvas'} of {length} after {sizes.past}",
        count * length,
        lambda: plain_segment_attention(*given, causal=causal, window=window),
        lambda: segment_attention(*given, causal=causal, window=window),
        2.0 * q.nbytes + 2.0 * keys * q.element_size(),
        4.0 * pairs * sizes.heads * heads.size,
    )


def _write(
    kind: str, sizes: Sizes, heads: Heads, shape: tuple[int, int], device: torch.device
) -> Contest:
    """Either side has pages of its own, and shows them."""
    segments = _segments(sizes, heads, shape, device)
    keys, values = _keys(heads, shape, device)
    pages = _pages(segments, heads, device)
    others = pages.clone()

    def plain() -> Tensor:
        plain_write_pages(keys, values, pages[0], pages[1], segments)
        return pages

    def fused() -> Tensor:
        write_pages(keys, values, others[0], others[1], segments)
        return others

    return Contest("write_pages", kind, len(keys), plain, fused, 4.0 * keys.nbytes)


def _segments(sizes: Sizes, heads: Heads, shape: tuple[int, int], device: torch.device) -> Segments:
    """Segments of one length; where there is a window, pages are a ring that holds it."""
    count, length = shape
    width = -(-(sizes.past + length) // PAGE)
    width = width if heads.window is None else min(width, -(-(heads.window + length) // PAGE) + 1)
    table = torch.randperm(count * width, device=device).view(count, width)
    return Segments(
        starts=torch.arange(count, dtype=torch.int32, device=device) * length,
        lengths=torch.full((count,), length, dtype=torch.int32, device=device),
        past=torch.full((count,), sizes.past, dtype=torch.int32, device=device),
        pages=table.int(),
        longest=length,
    )


def _keys(heads: Heads, shape: tuple[int, int], device: torch.device) -> Tensor:
    """Keys and values of the segments."""
    return _random(2, shape[0] * shape[1], heads.kv_heads, heads.size, device=device)


def _pages(segments: Segments, heads: Heads, device: torch.device) -> Tensor:
    """Pages of keys and of values."""
    return _random(2, segments.pages.numel(), PAGE, heads.kv_heads, heads.size, device=device)


def _random(*shape: int, device: torch.device) -> Tensor:
    return torch.randn(shape, dtype=torch.bfloat16, device=device)
