"""The gate of an MLP: gelu of one half of a projection, times the other."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from engine.kernels.triton_device import on_device_of, runs_triton


def gated_gelu(packed: Tensor) -> Tensor:
    """``gelu(gate) * up`` with the tanh form of gelu: [T, I], like ``packed``.

    Args:
        packed: [T, 2 I], float32 or bfloat16, first the gates, then what they gate.
    """
    if not runs_triton(packed):
        return plain_gated_gelu(packed)
    from engine.kernels.gpu_gated_gelu import gpu_gated_gelu

    with on_device_of(packed):
        return gpu_gated_gelu(packed)


def plain_gated_gelu(packed: Tensor) -> Tensor:
    """See ``gated_gelu``; as ``engine.feed_forward.GatedMLP`` computes it."""
    gate, up = packed.chunk(2, dim=-1)
    return F.gelu(gate, approximate="tanh") * up
