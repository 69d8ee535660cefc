"""``engine.kernels.progress`` in Triton: one launch, a program a canvas, for PyTorch's seventeen.

It reads 5 KB a canvas of 256, and is bound by the launch. The mean entropy is summed in another
order, and may be on the other side of its threshold within 1e-6 of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.progress import Progress

if TYPE_CHECKING:
    from engine.canvas_rows import CanvasRows


def gpu_progress(rows: CanvasRows, draft: Tensor, entropy: Tensor) -> Progress:
    """See ``engine.kernels.progress.progress``."""
    batch, length = draft.shape
    steps, unchanged = torch.empty_like(rows.steps), torch.empty_like(rows.unchanged)
    ends = torch.empty((3, batch), dtype=torch.int64, device=draft.device)
    if batch:
        _progress[(batch,)](
            draft.contiguous(),
            rows.draft.contiguous(),
            entropy.contiguous(),
            rows.free.contiguous().view(torch.uint8),
            rows.steps.contiguous(),
            rows.unchanged.contiguous(),
            rows.max_steps.contiguous(),
            rows.stability.contiguous(),
            rows.confidence.contiguous(),
            steps,
            unchanged,
            ends,
            length,
            block=triton.next_power_of_2(length),
            num_warps=1,
        )
    return Progress(steps, unchanged, ends)


@triton.jit(do_not_specialize=["length"])
def _progress(
    draft,
    last_draft,
    entropy,
    free,
    steps,
    unchanged,
    max_steps,
    stability,
    confidence,
    new_steps,
    new_unchanged,
    ends,
    length,
    block: tl.constexpr,
):
    row = tl.program_id(0)
    batch = tl.num_programs(0)
    at = tl.arange(0, block)
    held = at < length
    own = row.to(tl.int64) * length + at
    last = tl.load(last_draft + own, mask=held, other=0)
    differs = (tl.load(draft + own, mask=held, other=0) != last).to(tl.int32)
    moves = tl.load(free + own, mask=held, other=0).to(tl.int32)
    unsure = tl.load(entropy + own, mask=held, other=0.0) * moves
    mean = tl.sum(unsure, axis=0) / tl.maximum(tl.sum(moves, axis=0), 1)
    same = tl.max(differs, axis=0) == 0
    still = tl.where(same, tl.load(unchanged + row) + 1, 0)
    taken = tl.load(steps + row) + 1
    sure = mean < tl.load(confidence + row)
    settled = (still >= tl.load(stability + row)) & sure
    tl.store(new_steps + row, taken)
    tl.store(new_unchanged + row, still)
    tl.store(ends + row, settled.to(tl.int64))
    tl.store(ends + batch + row, (taken >= tl.load(max_steps + row)).to(tl.int64))
    tl.store(ends + 2 * batch + row, taken)
