"""The router: the product that scores experts for each token, and the choice among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.kernels.routing import plain_route
from engine.kernels.triton_device import on_device_of, runs_triton
from engine.kernels.weight_product import plain_weight_product

if TYPE_CHECKING:
    from engine.precision.weight import Weight


def choose_experts(
    x: Tensor, router: Weight, per_expert_scale: Tensor, top_k: int
) -> tuple[Tensor, Tensor]:
    """The experts of each token: weights float32 [T, k] and experts int64 [T, k].

    Scores are rounded to the dtype of ``x``; the choice is that of ``engine.kernels.routing``. A
    row's bits do not depend on the other rows.

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
