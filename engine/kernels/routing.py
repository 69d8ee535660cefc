"""Which experts a token visits, and how much each counts, by its scores."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def plain_route(scores: Tensor, per_expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """The likeliest experts of each token: weights float32 [T, k] and experts int64 [T, k].

    Weights sum to 1 before the per-expert scale. The likeliest comes first, and of experts with
    equal scores, as are common in bfloat16, that with the lowest number; ``torch.topk`` promises
    neither which of them it takes nor in what order. In all else it is ``engine.model.Router``.

    Args:
        scores: [T, E], without NaN.
        per_expert_scale: [E].
        top_k: k.
    """
    chosen = scores.sort(dim=-1, descending=True, stable=True).indices[:, :top_k].contiguous()
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).gather(-1, chosen)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights * per_expert_scale[chosen], chosen
