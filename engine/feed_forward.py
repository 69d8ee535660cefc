"""What a layer computes of each token by itself: a dense MLP, and experts that a router chooses.

Shapes: N tokens, D hidden, E experts of which k are visited, I an expert's inner size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.rms_norm import RMSNorm


class GatedMLP(nn.Module):
    """``down(gelu(gate(x)) * up(x))`` with the tanh form of gelu."""

    def __init__(self, hidden: int, intermediate: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, intermediate, bias=False)
        self.up_proj = nn.Linear(hidden, intermediate, bias=False)
        self.down_proj = nn.Linear(intermediate, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` [..., D] -> [..., D]."""
        gated: Tensor = F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x)
        return self.down_proj(gated)  # type: ignore[no-any-return]  # torch says Any


class Router(nn.Module):
    """Chooses the experts of each token from the raw residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.top_k = config.top_k_experts
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps, scale=False)
        self.proj = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        self.scale = nn.Parameter(torch.ones(config.hidden_size))
        self.per_expert_scale = nn.Parameter(torch.ones(config.num_experts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` [N, D] -> weights [N, k] and the experts they are for, int64 [N, k].

        Weights sum to 1 before the per-expert scale.
        """
        if len(self.per_expert_scale) == 1:  # no choice: the renormalised weight is 1
            only = torch.zeros(len(x), 1, dtype=torch.int64, device=x.device)
            return self.per_expert_scale.expand(len(x), 1), only
        scores = self.proj(self.norm(x) * self.scale * self.scale.numel() ** -0.5)
        weights, chosen = F.softmax(scores, dim=-1, dtype=torch.float32).topk(self.top_k, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        return weights * self.per_expert_scale[chosen], chosen


class Experts(nn.Module):
    """Gated MLPs of which each token visits a few. Weights: [E, 2 I, D] and [E, D, I]."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        count, hidden, size = config.num_experts, config.hidden_size, config.moe_intermediate_size
        self.gate_up_proj = nn.Parameter(torch.empty(count, 2 * size, hidden))
        self.down_proj = nn.Parameter(torch.empty(count, hidden, size))

    def forward(self, x: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        """``x`` [N, D], ``weights`` and ``chosen`` [N, k] -> weighted sum over experts [N, D]."""
        if len(self.gate_up_proj) == 1:
            return self._visit(0, x) * weights.to(x.dtype)
        out = torch.zeros_like(x)
        for expert in torch.unique(chosen).tolist():
            token, rank = (chosen == expert).nonzero(as_tuple=True)
            visit = self._visit(expert, x[token]) * weights[token, rank, None]
            out.index_add_(0, token, visit.to(x.dtype))
        return out

    def _visit(self, expert: int, x: Tensor) -> Tensor:
        gate, up = F.linear(x, self.gate_up_proj[expert]).chunk(2, dim=-1)
        return F.linear(F.gelu(gate, approximate="tanh") * up, self.down_proj[expert])
