"""Which experts a token visits, and how much each counts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def route(scores: Tensor, per_expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """The likeliest experts of each token: weights float32 [T, k] and experts int64 [T, k].

    Weights sum to 1 before the per-expert scale.

    Args:
        scores: [T, E].
        per_expert_scale: [E].
        top_k: k.
    """
    return plain_route(scores, per_expert_scale, top_k)


def plain_route(scores: Tensor, per_expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """See ``route``; as ``engine.model.Router`` does it."""
    weights, chosen = F.softmax(scores, dim=-1, dtype=torch.float32).topk(top_k, dim=-1)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights * per_expert_scale[chosen], chosen
