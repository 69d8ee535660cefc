"""The norm that stands around everything in the network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in float32, over the last dimension."""

    weight: nn.Parameter | None

    def __init__(self, size: int, eps: float, *, scale: bool = True) -> None:
        super().__init__()
        self.eps = eps
        self.size = size
        self.weight = nn.Parameter(torch.ones(size)) if scale else None

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` [..., size]."""
        weight = None if self.weight is None else self.weight.float()
        return F.rms_norm(x.float(), (self.size,), weight, self.eps).type_as(x)
