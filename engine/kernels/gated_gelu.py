"""The gate of an MLP: gelu of one half of a projection, times the other."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from engine.kernels.row_rounding import Rows, plain_rows
from engine.kernels.triton_device import on_device_of, runs_triton


def gated_gelu(packed: Tensor, *, rounded: bool = False) -> Rows:
    """``gelu(gate) * up`` with the tanh form of gelu: [T, I], like ``packed``.

    Args:
        packed: [T, 2 I], float32 or bfloat16, first the gates, then what they gate.
        rounded: whether the result is to be rounded, as fp8 products take it.
    """
    if not runs_triton(packed):
        return plain_gated_gelu(packed, rounded=rounded)
    from engine.kernels.gpu_gated_gelu import gpu_gated_gelu

    with on_device_of(packed):
        return gpu_gated_gelu(packed, rounded=rounded)


def plain_gated_gelu(packed: Tensor, *, rounded: bool = False) -> Rows:
    """See ``gated_gelu``; as ``engine.feed_forward.GatedMLP`` computes it."""
    gate, up = packed.chunk(2, dim=-1)
    return plain_rows(F.gelu(gate, approximate="tanh") * up, rounded=rounded)
