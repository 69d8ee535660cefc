"""Tokens' embeddings, scaled."""

from __future__ import annotations

from torch import Tensor

from engine.kernels.triton_device import on_device_of, runs_triton


def embedding(tokens: Tensor, table: Tensor, scale: float) -> Tensor:
    """``table[tokens] * scale``, [T, D], like ``table``.

    Args:
        tokens: int64 [T], from 0 to V - 1.
        table: [V, D], float32 or bfloat16.
        scale: as the dtype of ``table`` has it, so that only the product is rounded.
    """
    if not runs_triton(table):
        return plain_embedding(tokens, table, scale)
    from engine.kernels.gpu_embedding import gpu_embedding

    with on_device_of(table):
        return gpu_embedding(tokens, table, scale)


def plain_embedding(tokens: Tensor, table: Tensor, scale: float) -> Tensor:
    """See ``embedding``; as ``engine.model.DiffusionGemma`` embeds tokens."""
    return table[tokens] * scale
