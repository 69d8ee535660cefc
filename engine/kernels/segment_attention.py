"""Attention of runs of adjacent tokens to what precedes them, in pages, and to themselves.

T tokens in B segments, H heads, K heads of keys and values, d head size, P positions a page.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.triton_device import on_device_of, runs_triton

#: Positions of a page, P.
PAGE = 64


@dataclass(frozen=True, eq=False)
class Segments:
    """Runs of tokens, each of one sequence, in the order in which they lie.

    Attributes:
        starts: int32 [B], where each begins among the T tokens.
        lengths: int32 [B], its tokens; between segments there may be padding.
        past: int32 [B], the positions of its sequence that were cached before it.
        pages: int32 [B, W], the pages of each sequence. Position p lies in page
            ``pages[b, (p // P) % W]``: a table shorter than the sequence is a ring that keeps the
            last positions.
        longest: a bound on the lengths.
    """

    starts: Tensor
    lengths: Tensor
    past: Tensor
    pages: Tensor
    longest: int


def segment_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    key_pages: Tensor,
    value_pages: Tensor,
    segments: Segments,
    *,
    causal: bool,
    window: int | None = None,
) -> Tensor:
    """Attention with scale 1: [T, H, d]; padding between segments gets anything finite.

    Args:
        q: [T, H, d].
        k: [T, K, d], of the segments themselves.
        v: like ``k``.
        key_pages: [pages, P, K, d], each page dense, of what precedes the segments.
        value_pages: like ``key_pages``.
        segments: where they are, and their pages.
        causal: whether a token sees none behind itself; else it sees its whole segment.
        window: positions that a causal token sees, itself included; one that is not causal sees
            the last ``window - 1`` before its segment, and all of it. None sees everything.
    """
    given = q, k, v, key_pages, value_pages, segments
    if not runs_triton(q) or q.dtype not in (torch.float32, torch.bfloat16):
        return plain_segment_attention(*given, causal=causal, window=window)
    from engine.kernels.gpu_segment_attention import gpu_segment_attention

    with on_device_of(q):
        return gpu_segment_attention(*given, causal=causal, window=window)


def plain_segment_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    key_pages: Tensor,
    value_pages: Tensor,
    segments: Segments,
    *,
    causal: bool,
    window: int | None = None,
) -> Tensor:
    """See ``segment_attention``; one segment after another."""
    out = torch.zeros_like(q)
    rows = zip(
        segments.starts.tolist(), segments.lengths.tolist(), segments.past.tolist(), strict=True
    )
    for row, (start, length, past) in enumerate(rows):
        own = slice(start, start + length)
        first = 0 if window is None else max(0, past - (window - 1))
        at = torch.arange(first, past, device=q.device)
        table = segments.pages[row].long()
        page = table[(at // PAGE) % len(table)]
        keys = torch.cat((key_pages[page, at % PAGE], k[own]))
        values = torch.cat((value_pages[page, at % PAGE], v[own]))
        mask = _visible(length, past - first, window, q.device) if causal else None
        heads, keys, values = (x.transpose(0, 1)[None] for x in (q[own], keys, values))
        seen = F.scaled_dot_product_attention(
            heads, keys, values, attn_mask=mask, scale=1.0, enable_gqa=True
        )
        out[own] = seen[0].transpose(0, 1)
    return out


def _visible(length: int, before: int, window: int | None, device: torch.device) -> Tensor:
    """Bool [length, before + length]: causal, and within the window."""
    seen = torch.arange(before + length, device=device)
    behind = seen[before:, None] - seen[None, :]
    return (behind >= 0) if window is None else (behind >= 0) & (behind < window)
