"""From a belief to the soft embedding that conditions the next step."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.raw_logits import RawLogits
from engine.kernels.triton_device import on_device_of, runs_triton
from engine.sampler import believe

#: Positions whose beliefs are held at a time on a GPU, at most: half a gigabyte of the 26B's.
ROWS = 1024
#: Parts of the vocabulary, whose sums are held as well.
PARTS = 6


def soft_embedding(logits: RawLogits, log_sum_exp: Tensor, held: Tensor, table: Tensor) -> Tensor:
    """The mean of the tokens' embeddings, weighted with the belief: [B, L, D], like ``table``.

    Args:
        logits: of the free positions.
        log_sum_exp: float32 [B, L], what ``engine.kernels.denoising_head`` found of these logits.
        held: int64 [B, L], the tokens of all other positions, whose embeddings they get.
        table: the embeddings, float32 or bfloat16 [V, D].
    """
    if not runs_triton(table) or table.dtype not in (torch.float32, torch.bfloat16):
        return plain_soft_embedding(logits, held, table)
    from engine.kernels.gpu_soft_embedding import gpu_soft_embedding

    with on_device_of(table):
        return gpu_soft_embedding(logits, log_sum_exp, held, table)


def plain_soft_embedding(logits: RawLogits, held: Tensor, table: Tensor) -> Tensor:
    """See ``soft_embedding``; as ``DiffusionGemma`` embeds a belief, before it is scaled."""
    belief = believe(logits.scaled(), logits.allowed())
    embedded = table[held]
    embedded[logits.cells // logits.length, logits.cells % logits.length] = (
        belief.to(table.dtype) @ table
    )
    return embedded
