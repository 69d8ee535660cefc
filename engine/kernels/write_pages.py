"""Keys and values of new tokens into the pages of their sequences."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.segment_attention import PAGE, Segments
from engine.kernels.triton_device import on_device_of, runs_triton


def write_pages(
    keys: Tensor, values: Tensor, key_pages: Tensor, value_pages: Tensor, segments: Segments
) -> None:
    """Write each segment's tokens to the positions from its ``past`` on, in place.

    A ring keeps the last positions that its pages hold; what they leave no room for is not written.
    What is written there takes the place of what the segment's own attention may still want:
    attend first.

    Args:
        keys: [T, K, d].
        values: like ``keys``.
        key_pages: [pages, P, K, d], each page dense, in the dtype of ``keys``.
        value_pages: like ``key_pages``.
        segments: where the tokens are, and the pages that they go to, no page in two sequences.
    """
    given = keys, values, key_pages, value_pages, segments
    if not runs_triton(keys):
        return plain_write_pages(*given)
    from engine.kernels.gpu_write_pages import gpu_write_pages

    with on_device_of(keys):
        return gpu_write_pages(*given)


def plain_write_pages(
    keys: Tensor, values: Tensor, key_pages: Tensor, value_pages: Tensor, segments: Segments
) -> None:
    """See ``write_pages``; one segment after another."""
    rows = zip(
        segments.starts.tolist(), segments.lengths.tolist(), segments.past.tolist(), strict=True
    )
    for row, (start, length, past) in enumerate(rows):
        table = segments.pages[row].long()
        first = max(past, past + length - len(table) * PAGE)
        at = torch.arange(first, past + length, device=keys.device)
        page, own = table[(at // PAGE) % len(table)], start + at - past
        key_pages[page, at % PAGE] = keys[own]
        value_pages[page, at % PAGE] = values[own]
