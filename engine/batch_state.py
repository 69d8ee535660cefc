"""The tensors of a running batch of canvases whose belief is kept whole.

B canvases, L positions, V tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.canvas import CanvasRequest
from engine.canvas_rows import CanvasRows, first_keys, first_progress
from engine.config import FirstBelief
from engine.noise import CounterNoise
from engine.sampler import StepResult, draw_from_domain, uniform_belief


@dataclass(frozen=True, eq=False, kw_only=True)
class BatchState(CanvasRows):
    """One row a canvas.

    Attributes:
        belief: float32 [B, L, V], of the step before.
        domain: bool [B, L, V], or None when every token is allowed everywhere.
        guided: bool [B].
    """

    belief: Tensor
    domain: Tensor | None
    guided: Tensor

    def after(self, step: StepResult) -> BatchState:
        """The state after one step of every row."""
        return replace(self, canvas=step.canvas, belief=step.belief, **self.progress(step.draft))


def first_state(
    requests: Sequence[CanvasRequest],
    length: int,
    domain: Tensor | None,
    first_belief: FirstBelief,
    vocabulary: int,
    device: torch.device,
) -> BatchState:
    """The state before the first step: noise inside the domains, clamps certain.

    Args:
        requests: canvases of one layout.
        length: L.
        domain: bool [B, L, V] with clamps as domains of one, or None without any restriction.
        first_belief: the checkpoint's convention for free positions.
        vocabulary: V.
        device: where the tensors go.
    """
    keys = first_keys(requests, device)
    start = CounterNoise(keys, torch.zeros_like(keys)).start(length)
    free = torch.ones(len(requests), length, dtype=torch.bool, device=device)
    if domain is not None:
        free = domain.sum(dim=-1) > 1
    return BatchState(
        canvas=draw_from_domain(start, domain, vocabulary),
        belief=_first_belief(first_belief, domain, free, vocabulary),
        domain=domain,
        guided=torch.tensor([r.guided for r in requests], device=device),
        **first_progress(requests, free, keys),
    )


def _first_belief(
    convention: FirstBelief, domain: Tensor | None, free: Tensor, vocabulary: int
) -> Tensor:
    if domain is None:
        value = 1.0 / vocabulary if convention == "uniform" else 0.0
        return torch.full((*free.shape, vocabulary), value, device=free.device)
    belief = uniform_belief(domain)
    return belief if convention == "uniform" else belief.masked_fill(free[..., None], 0.0)
