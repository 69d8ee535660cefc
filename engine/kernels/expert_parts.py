"""Routed experts: each token visits a few gated MLPs, whose outputs are weighted and summed.

The sum is taken by what reads it, ``engine.kernels.layer_norms.after_feedforward``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.row_rounding import Rows
from engine.kernels.triton_device import on_device_of, runs_triton
from engine.kernels.weight_product import plain_weight_product
from engine.precision.weight import Weight


def expert_parts(x: Rows, weights: Tensor, chosen: Tensor, gate_up: Weight, down: Weight) -> Tensor:
    """What each token's experts make of it, weighted: [T, k, D], in the dtype of ``x``.

    Args:
        x: [T, D], float32 or bfloat16; for experts in fp8 it may be rounded already.
        weights: float32 [T, k].
        chosen: int64 [T, k], experts.
        gate_up: [E, 2 I, D], first the gates, then what they gate.
        down: [E, D, I].

    A row's bits do not depend on the other rows. Where experts are kept in fp8, rows are rounded to
    fp8 before each of their products.
    """
    if not runs_triton(chosen) or x.dtype not in (torch.float32, torch.bfloat16):
        return plain_expert_parts(x, weights, chosen, gate_up, down)
    from engine.kernels.gpu_expert_parts import gpu_expert_parts

    with on_device_of(chosen):
        return gpu_expert_parts(x, weights, chosen, gate_up, down)


def plain_expert_parts(
    x: Rows, weights: Tensor, chosen: Tensor, gate_up: Weight, down: Weight
) -> Tensor:
    """See ``expert_parts``; as ``engine.feed_forward.Experts`` computes it."""
    hidden = down.shape[1]
    parts = torch.empty((*chosen.shape, hidden), dtype=x.dtype, device=chosen.device)
    for expert in torch.unique(chosen).tolist():
        token, rank = (chosen == expert).nonzero(as_tuple=True)
        gate, up = plain_weight_product(x[token], gate_up.of_expert(expert)).chunk(2, dim=-1)
        inner = F.gelu(gate, approximate="tanh") * up
        visit = plain_weight_product(inner, down.of_expert(expert))
        parts[token, rank] = (visit * weights[token, rank, None]).to(x.dtype)
    return parts
