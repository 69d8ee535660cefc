"""RMSNorm and the residual sum before it, in one pass over the activations."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from engine.kernels.row_rounding import Rows, plain_rows
from engine.kernels.triton_device import on_device_of, runs_triton


def add_norm(
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    residual: Tensor | None = None,
    *,
    rounded: bool = False,
) -> tuple[Tensor, Rows]:
    """``residual + x``, and its root-mean-square norm, computed in float32.

    Args:
        x: [T, D], float32 or bfloat16.
        weight: [D], what the norm is multiplied by; None for 1.
        eps: added to the mean square.
        residual: like ``x``; None to norm ``x`` alone, which is then returned as the sum.
        rounded: whether the norm is to be rounded, as fp8 products take it.

    Returns:
        Sum and norm, both in the dtype of ``x``. The norm is that of the sum as rounded to that
        dtype, so that it is what a later layer would compute from the sum.
    """
    if not runs_triton(x):
        return plain_add_norm(x, weight, eps, residual, rounded=rounded)
    from engine.kernels.gpu_add_norm import gpu_add_norm

    with on_device_of(x):
        return gpu_add_norm(x, weight, eps, residual, rounded=rounded)


def plain_add_norm(
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    residual: Tensor | None = None,
    *,
    rounded: bool = False,
) -> tuple[Tensor, Rows]:
    """See ``add_norm``; the norm is that of ``engine.rms_norm.RMSNorm``."""
    total = x if residual is None else residual + x
    scale = None if weight is None else weight.float()
    normed = F.rms_norm(total.float(), total.shape[-1:], scale, eps).type_as(x)
    return total, plain_rows(normed, rounded=rounded)
