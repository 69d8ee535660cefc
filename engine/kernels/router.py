"""The router: the product that scores experts for each token, and the choice among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.triton_device import on_device_of, runs_triton
from engine.kernels.weight_product import plain_weight_product

if TYPE_CHECKING:
    from engine.precision.weight import Weight


def choose_experts(
    x: Tensor, router: Weight, per_expert_scale: Tensor, top_k: int
) -> tuple[Tensor, Tensor]:
    """The experts of each token: weights float32 [T, k] and experts int64 [T, k].

    Scores are rounded to the dtype of ``x``; the choice is that of ``plain_route``. A row's bits do
    not depend on the other rows.

    Args:
        x: [T, D], float32 or bfloat16.
        router: [E, D], kept in floats.
        per_expert_scale: [E].
        top_k: k.
    """
    if not runs_triton(x) or x.dtype not in (torch.float32, torch.bfloat16):
        return plain_choose_experts(x, router, per_expert_scale, top_k)
    from engine.kernels.gpu_router import gpu_choose_experts

    with on_device_of(x):
        return gpu_choose_experts(x, router.values, per_expert_scale, top_k)


def plain_choose_experts(
    x: Tensor, router: Weight, per_expert_scale: Tensor, top_k: int
) -> tuple[Tensor, Tensor]:
    """See ``choose_experts``."""
    return plain_route(plain_weight_product(x, router), per_expert_scale, top_k)


def plain_route(scores: Tensor, per_expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """The likeliest experts of each token: weights float32 [T, k] and experts int64 [T, k].

    Weights sum to 1 before the per-expert scale. The likeliest comes first, and of experts with
    equal scores, as are common in bfloat16, that with the lowest number; ``torch.topk`` promises
    neither which of them it takes nor in what order. In all else it is
    ``engine.feed_forward.Router``.

    Args:
        scores: [T, E], without NaN.
        per_expert_scale: [E].
        top_k: k.
    """
    chosen = scores.sort(dim=-1, descending=True, stable=True).indices[:, :top_k].contiguous()
    weights = F.softmax(scores, dim=-1, dtype=torch.float32).gather(-1, chosen)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return weights * per_expert_scale[chosen], chosen
