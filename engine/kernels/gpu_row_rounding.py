"""``engine.kernels.row_rounding`` in Triton, for kernels whose programs have whole rows.

By itself it is one program a row, which it reads once: 256 rows of 2,816 in bfloat16 are 1.4 MB
read and 0.7 MB written, bound by the launch. Values are the reference's to the bit: a quotient is
rounded as IEEE asks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import nearest, nearest_fp8
from engine.kernels.row_rounding import SHARE, RoundedRows, Rows

_SHARE = tl.constexpr(SHARE)


def gpu_rounded_rows(x: Tensor) -> RoundedRows:
    """See ``engine.kernels.row_rounding.rounded_rows``."""
    count, size = x.shape
    rows = RoundedRows.empty((count, size), x.dtype, x.device)
    if count:
        x = x if x.stride(1) == 1 else x.contiguous()
        block = max(16, triton.next_power_of_2(size))
        _round[(count,)](
            x, *written(rows), x.stride(0), size, block=block, num_warps=warps_for(block)
        )
    return rows


def empty_rows(
    shape: Sequence[int], dtype: torch.dtype, device: torch.device, *, rounded: bool
) -> Rows:
    """What a kernel is to write, [T, K]: activations of ``dtype``, or what they are rounded to."""
    if rounded:
        return RoundedRows.empty(shape, dtype, device)
    return torch.empty(tuple(shape), dtype=dtype, device=device)


def written(rows: Rows) -> tuple[Tensor, Tensor]:
    """What ``store_row`` writes: values, and scales or anything."""
    return (rows, rows) if isinstance(rows, Tensor) else (rows.values, rows.scales)


def warps_for(block: int) -> int:
    """Warps that hold a row of so many numbers."""
    return min(8, max(1, block // 512))


@triton.jit
def _round(x, values, scales, x_row, size, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    held = at < size
    value = tl.load(x + row * x_row + at, mask=held, other=0.0).to(tl.float32)
    store_row(value, values + row * size + at, held, scales + row, x.dtype.element_ty, True)


@triton.jit
def store_row(value, at, held, scale_at, dtype: tl.constexpr, rounded: tl.constexpr):
    """Store a row, float32 and 0 where it is not held, as ``dtype``; rounded again, as fp8."""
    kept = nearest(value, dtype)
    if rounded:
        exact = kept.to(tl.float32)
        scale = tl.max(tl.abs(exact), axis=0) * _SHARE
        scale = tl.where(scale == 0, 1.0, scale)
        tl.store(at, nearest_fp8(tl.div_rn(exact, scale)), mask=held)
        tl.store(scale_at, scale)
    else:
        tl.store(at, kept, mask=held)
