"""The tensors of a running batch: rows join, rows leave, all fields together.

B canvases, L positions, V tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from engine.canvas import CanvasRequest
from engine.config import FirstBelief
from engine.noise import CounterNoise, stream_keys
from engine.sampler import (
    StepResult,
    StepSettings,
    draw_from_domain,
    temperature_at,
    uniform_belief,
)


@dataclass(frozen=True, eq=False)
class BatchState:
    """One row a canvas.

    Attributes:
        canvas: int64 [B, L], the next decoder input.
        belief: float32 [B, L, V], of the step before.
        draft: int64 [B, L], the last argmax canvas; -1 before the first step.
        free: bool [B, L], the positions whose domain has more than one token.
        domain: bool [B, L, V], or None when every token is allowed everywhere.
        keys: int64 [B], noise streams.
        steps: int64 [B], steps taken.
        unchanged: int64 [B], how many earlier drafts in a row equal the last one.
        guided: bool [B].
        max_steps, t_min, t_max, entropy_bound, stability, confidence: [B], see SamplingParams.
    """

    canvas: Tensor
    belief: Tensor
    draft: Tensor
    free: Tensor
    domain: Tensor | None
    keys: Tensor
    steps: Tensor
    unchanged: Tensor
    guided: Tensor
    max_steps: Tensor
    t_min: Tensor
    t_max: Tensor
    entropy_bound: Tensor
    stability: Tensor
    confidence: Tensor

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def settings(self) -> StepSettings:
        """The knobs of the next step."""
        remaining = self.max_steps - self.steps
        temperature = temperature_at(remaining, self.max_steps, self.t_min, self.t_max)
        return StepSettings(temperature, self.entropy_bound)

    @property
    def noise(self) -> CounterNoise:
        """The draws of the next step."""
        return CounterNoise(self.keys, self.steps + 1)

    def after(self, step: StepResult) -> BatchState:
        """The state after one step of every row."""
        same = (step.draft == self.draft).all(dim=-1)
        return replace(
            self,
            canvas=step.canvas,
            belief=step.belief,
            draft=step.draft,
            steps=self.steps + 1,
            unchanged=torch.where(same, self.unchanged + 1, 0),
        )

    def keep(self, rows: Tensor) -> BatchState:
        """The rows at these indices, int64 [B']."""
        return self._map(lambda x: x[rows])

    def join(self, other: BatchState) -> BatchState:
        """Append the rows of ``other``."""
        values = {f.name: getattr(other, f.name) for f in fields(other)}
        return replace(
            self,
            **{
                name: torch.cat((getattr(self, name), value))
                for name, value in values.items()
                if value is not None
            },
        )

    def _map(self, change: Callable[[Tensor], Tensor]) -> BatchState:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: change(v) for n, v in values.items() if v is not None})


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
    seeds = torch.tensor([r.seed for r in requests], device=device)
    candidates = torch.tensor([r.candidate for r in requests], device=device)
    keys = stream_keys(seeds, candidates)
    start = CounterNoise(keys, torch.zeros_like(keys)).start(length)
    free = torch.ones(len(requests), length, dtype=torch.bool, device=device)
    if domain is not None:
        free = domain.sum(dim=-1) > 1
    return BatchState(
        canvas=draw_from_domain(start, domain, vocabulary),
        belief=_first_belief(first_belief, domain, free, vocabulary),
        draft=torch.full(free.shape, -1, device=device),
        free=free,
        domain=domain,
        keys=keys,
        steps=torch.zeros_like(keys),
        unchanged=torch.zeros_like(keys),
        guided=torch.tensor([r.guided for r in requests], device=device),
        max_steps=_column(requests, "max_steps", device),
        t_min=_column(requests, "t_min", device),
        t_max=_column(requests, "t_max", device),
        entropy_bound=_column(requests, "entropy_bound", device),
        stability=_column(requests, "stability", device),
        confidence=_column(requests, "confidence", device),
    )


def _first_belief(
    convention: FirstBelief, domain: Tensor | None, free: Tensor, vocabulary: int
) -> Tensor:
    if domain is None:
        value = 1.0 / vocabulary if convention == "uniform" else 0.0
        return torch.full((*free.shape, vocabulary), value, device=free.device)
    belief = uniform_belief(domain)
    return belief if convention == "uniform" else belief.masked_fill(free[..., None], 0.0)


def _column(requests: Sequence[CanvasRequest], name: str, device: torch.device) -> Tensor:
    return torch.tensor([getattr(r.sampling, name) for r in requests], device=device)
