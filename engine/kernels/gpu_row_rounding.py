"""``engine.kernels.row_rounding`` in Triton: one program a row, which it reads once.

256 rows of 2,816 in bfloat16 are 1.4 MB read and 0.7 MB written, bound by the launch. Values are
the reference's to the bit: a quotient is rounded as IEEE asks.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import nearest_fp8
from engine.kernels.row_rounding import SHARE


def gpu_rounded_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """See ``engine.kernels.row_rounding.rounded_rows``."""
    rows, size = x.shape
    values = torch.empty((rows, size), dtype=torch.float8_e4m3fn, device=x.device)
    scales = torch.empty(rows, device=x.device)
    if rows:
        x = x if x.stride(1) == 1 else x.contiguous()
        block = max(16, triton.next_power_of_2(size))
        warps = min(8, max(1, block // 512))
        _round[(rows,)](
            x, values, scales, x.stride(0), size, share=SHARE, block=block, num_warps=warps
        )
    return values, scales


@triton.jit
def _round(x, values, scales, x_row, size, share: tl.constexpr, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    held = at < size
    exact = tl.load(x + row * x_row + at, mask=held, other=0.0).to(tl.float32)
    scale = tl.max(tl.abs(exact), axis=0) * share
    scale = tl.where(scale == 0, 1.0, scale)
    tl.store(values + row * size + at, nearest_fp8(tl.div_rn(exact, scale)), mask=held)
    tl.store(scales + row, scale)
