"""Rows of activations in fp8, each with a scale of its own, as products with fp8 weights take them.

So that tensor cores multiply fp8 with fp8, at twice the rate of bfloat16 and without decoding. It
costs as much again as the rounding of the weights does: 2.6 % of each product, 3.7 % for both.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.triton_device import on_device_of, runs_triton

#: Of the largest float8_e4m3fn. Multiplied with: some devices divide by a number otherwise.
SHARE = 1 / 448


def rounded_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """float8_e4m3fn [T, K] and float32 [T]; a row is about the product of its two.

    The largest number of a row becomes 448 or -448. Where a scale
    would be 0, as of a row of zeros, it is 1.

    Args:
        x: [T, K], float32 or bfloat16.
    """
    if not runs_triton(x):
        return plain_rounded_rows(x)
    from engine.kernels.gpu_row_rounding import gpu_rounded_rows

    with on_device_of(x):
        return gpu_rounded_rows(x)


def plain_rounded_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """See ``rounded_rows``."""
    exact = x.float()
    largest = exact.abs().amax(dim=1) if x.numel() else exact.new_zeros(len(x))
    scales = largest * SHARE
    scales = torch.where(scales == 0, torch.ones_like(scales), scales)
    return (exact / scales[:, None]).to(torch.float8_e4m3fn), scales


def as_rounded(x: Tensor) -> Tensor:
    """What the two stand for, float32 [T, K]."""
    values, scales = plain_rounded_rows(x)
    return values.float() * scales[:, None]
