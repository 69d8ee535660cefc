"""``engine.kernels.embedding`` in Triton: one program a token, the same bits as the reference.

A row of 5.6 KB is read and written once, 2.9 MB for 256 tokens of D = 2816 in bfloat16, in one
launch where PyTorch's gather and product are two.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import nearest


def gpu_embedding(tokens: Tensor, table: Tensor, scale: float) -> Tensor:
    """See ``engine.kernels.embedding.embedding``."""
    size = table.shape[1]
    out = torch.empty((len(tokens), size), dtype=table.dtype, device=table.device)
    if len(tokens):
        block = triton.next_power_of_2(size)
        _embed[(len(tokens),)](
            tokens.contiguous(),
            table,
            out,
            *table.stride(),
            size,
            scale,
            block=block,
            num_warps=min(8, max(1, block // 512)),
        )
    return out


@triton.jit
def _embed(tokens, table, out, table_row, table_column, size, scale, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, block)
    held = at < size
    own = table + tl.load(tokens + row) * table_row + at * table_column
    value = tl.load(own, mask=held, other=0.0).to(tl.float32) * scale
    tl.store(out + row * size + at, nearest(value, out.dtype.element_ty), mask=held)
