"""The product of activations with a weight matrix that is kept in any precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.row_rounding import RoundedRows, Rows, floats, plain_rounded_rows
from engine.kernels.triton_device import on_device_of, runs_triton

if TYPE_CHECKING:
    from engine.precision.weight import Weight


def weight_product(x: Rows, weight: Weight) -> Tensor:
    """``x W^T``, [T, N] in the dtype of ``x``; a row's bits do not depend on the other rows.

    Where the weight is kept in fp8, rows are rounded to fp8 as well.

    Args:
        x: [T, K], float32 or bfloat16; for a weight in fp8 it may be rounded already.
        weight: [N, K].
    """
    held = x.values if isinstance(x, RoundedRows) else x
    if not runs_triton(held) or x.dtype not in (torch.float32, torch.bfloat16):
        return plain_weight_product(x, weight)
    from engine.kernels.gpu_weight_product import gpu_weight_product

    with on_device_of(held):
        return gpu_weight_product(x, weight)


def plain_weight_product(x: Rows, weight: Weight) -> Tensor:
    """See ``weight_product``; the weight is dequantised in the dtype of ``x`` first."""
    if weight.values.dtype == torch.float8_e4m3fn:
        rows = x if isinstance(x, RoundedRows) else plain_rounded_rows(x)
        return F.linear(rows.exact(), weight.dequantized()).to(x.dtype)
    return F.linear(floats(x), weight.dequantized().to(x.dtype))
