"""Writing keys and values of segments into the pages of their sequences."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.segment_attention import PAGE, Segments


def write_pages(
    k: Tensor, v: Tensor, key_pages: Tensor, value_pages: Tensor, segments: Segments
) -> None:
    """Keep the keys and values of segments; where the table is a ring, the last that fit.

    Args:
        k: [T, K, d].
        v: like ``k``.
        key_pages: [pages, P, K, d], changed in place.
        value_pages: like ``key_pages``.
        segments: where the tokens are, and where they go: position ``past`` and on.
    """
    plain_write_pages(k, v, key_pages, value_pages, segments)


def plain_write_pages(
    k: Tensor, v: Tensor, key_pages: Tensor, value_pages: Tensor, segments: Segments
) -> None:
    """See ``write_pages``."""
    kept = segments.pages.shape[1] * PAGE
    rows = zip(
        segments.starts.tolist(), segments.lengths.tolist(), segments.past.tolist(), strict=True
    )
    for row, (start, length, past) in enumerate(rows):
        skipped = max(0, length - kept)
        at = torch.arange(past + skipped, past + length, device=k.device)
        page = segments.pages[row].long()[(at // PAGE) % segments.pages.shape[1]]
        key_pages[page, at % PAGE] = k[start + skipped : start + length]
        value_pages[page, at % PAGE] = v[start + skipped : start + length]
