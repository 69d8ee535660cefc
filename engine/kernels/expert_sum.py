"""Routed experts: each token visits a few gated MLPs, whose outputs are weighted and summed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.precision.weight import Weight


def expert_sum(x: Tensor, weights: Tensor, chosen: Tensor, gate_up: Weight, down: Weight) -> Tensor:
    """The weighted sum of what each token's experts make of it: [T, D], like ``x``.

    Args:
        x: [T, D], float32 or bfloat16.
        weights: float32 [T, k].
        chosen: int64 [T, k], experts.
        gate_up: [E, 2 I, D], first the gates, then what they gate.
        down: [E, D, I].
    """
    return plain_expert_sum(x, weights, chosen, gate_up, down)


def plain_expert_sum(
    x: Tensor, weights: Tensor, chosen: Tensor, gate_up: Weight, down: Weight
) -> Tensor:
    """See ``expert_sum``; as ``engine.model.Experts`` computes it."""
    out = torch.zeros_like(x)
    wide, narrow = gate_up.dequantized().to(x.dtype), down.dequantized().to(x.dtype)
    for expert in torch.unique(chosen).tolist():
        token, rank = (chosen == expert).nonzero(as_tuple=True)
        gate, up = F.linear(x[token], wide[expert]).chunk(2, dim=-1)
        visit = F.linear(F.gelu(gate, approximate="tanh") * up, narrow[expert])
        out.index_add_(0, token, (visit * weights[token, rank, None]).to(x.dtype))
    return out
