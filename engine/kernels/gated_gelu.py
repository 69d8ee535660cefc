"""What lies between the two products of a gated MLP."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def gated_gelu(x: Tensor) -> Tensor:
    """``gelu(gate) * up``, in gelu's tanh form: ``x`` [T, 2 I], gates first, -> [T, I]."""
    return plain_gated_gelu(x)


def plain_gated_gelu(x: Tensor) -> Tensor:
    """See ``gated_gelu``; as ``engine.model.GatedMLP`` does it."""
    gate, up = x.chunk(2, dim=-1)
    return F.gelu(gate, approximate="tanh") * up
