"""Rows of activations in fp8, each with a scale of its own, as products with fp8 weights take them.

So that tensor cores multiply fp8 with fp8, at twice the rate of bfloat16 and without decoding. It
costs as much again as the rounding of the weights does: 2.6 % of each product, 3.7 % for both.

What computes whole rows can round them before it writes them (``rounded=True`` of the norms and
gates): a product that is given floats rounds them in a launch of its own. Both give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.triton_device import on_device_of, runs_triton

#: Of the largest float8_e4m3fn. Multiplied with: some devices divide by a number otherwise.
SHARE = 1 / 448


@dataclass(frozen=True, eq=False)
class RoundedRows:
    """Rows [T, K], each about the product of its two.

    Attributes:
        values: float8_e4m3fn [T, K]; the largest number of a row becomes 448 or -448.
        scales: float32 [T]; 1 where one would be 0, as of a row of zeros.
        dtype: of the activations that were rounded, and of what a product makes of them.
    """

    values: Tensor
    scales: Tensor
    dtype: torch.dtype

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Tensor) -> RoundedRows:
        """The rows at these indices, int64 [T']."""
        values = self.values.view(torch.uint8)[rows].view(self.values.dtype)
        return RoundedRows(values, self.scales[rows], self.dtype)

    @classmethod
    def empty(cls, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> RoundedRows:
        """To be written: [T, K]."""
        values = torch.empty(tuple(shape), dtype=torch.float8_e4m3fn, device=device)
        return cls(values, torch.empty(shape[0], device=device), dtype)

    def exact(self) -> Tensor:
        """What they stand for, float32 [T, K]."""
        return self.values.float() * self.scales[:, None]


#: Activations [T, K] as they are, or as products with fp8 weights take them.
Rows = Tensor | RoundedRows


def rounded_rows(x: Tensor) -> RoundedRows:
    """Round each row by itself.

    Args:
        x: [T, K], float32 or bfloat16.
    """
    if not runs_triton(x):
        return plain_rounded_rows(x)
    from engine.kernels.gpu_row_rounding import gpu_rounded_rows

    with on_device_of(x):
        return gpu_rounded_rows(x)


def plain_rounded_rows(x: Tensor) -> RoundedRows:
    """See ``rounded_rows``."""
    exact = x.float()
    largest = exact.abs().amax(dim=1) if x.numel() else exact.new_zeros(len(x))
    scales = largest * SHARE
    scales = torch.where(scales == 0, torch.ones_like(scales), scales)
    return RoundedRows((exact / scales[:, None]).to(torch.float8_e4m3fn), scales, x.dtype)


def floats(rows: Rows) -> Tensor:
    """Rows that are not rounded, as they are.

    Raises:
        TypeError: they are rounded, which only products with weights in fp8 take.
    """
    if isinstance(rows, RoundedRows):
        raise TypeError("rows in fp8 are for products with weights in fp8")
    return rows


def plain_rows(x: Tensor, *, rounded: bool) -> Rows:
    """``x`` [T, K], or what it is rounded to."""
    return plain_rounded_rows(x) if rounded else x
