"""What a step changes in where a canvas stands, and whether the canvas has come to its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.kernels.triton_device import on_device_of, runs_triton

if TYPE_CHECKING:
    from engine.canvas_rows import CanvasRows


@dataclass(frozen=True, eq=False)
class Progress:
    """Of every canvas, after a step.

    Attributes:
        steps: int64 [B], see ``CanvasRows``.
        unchanged: int64 [B], see ``CanvasRows``.
        ends: int64 [3, B]: whether each is stable and confident, whether its steps are spent, and
            how many it has taken. One tensor, to be fetched at once.
    """

    steps: Tensor
    unchanged: Tensor
    ends: Tensor


def progress(rows: CanvasRows, draft: Tensor, entropy: Tensor) -> Progress:
    """See ``Progress``.

    Args:
        rows: before the step.
        draft: what the step left, int64 [B, L].
        entropy: of the step, float32 [B, L], nats.
    """
    if not runs_triton(draft):
        return plain_progress(rows, draft, entropy)
    from engine.kernels.gpu_progress import gpu_progress

    with on_device_of(draft):
        return gpu_progress(rows, draft, entropy)


def plain_progress(rows: CanvasRows, draft: Tensor, entropy: Tensor) -> Progress:
    """See ``progress``; as ``CanvasRows`` has it."""
    after = replace(rows, **rows.progress(draft))
    settled, spent = after.ends(entropy)
    ends = torch.stack((settled.long(), spent.long(), after.steps))
    return Progress(after.steps, after.unchanged, ends)
