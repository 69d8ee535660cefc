"""Where each canvas of a running batch stands, one row a canvas; rows join and leave together.

B canvases, L positions. Each kind of batch adds what its steps carry (``engine.batch_state``,
``engine.text.state``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from engine.canvas import CanvasRequest, FinishReason
from engine.noise import CounterNoise, stream_keys
from engine.sampler import StepSettings, confident, temperature_at

R = TypeVar("R", bound="CanvasRows")

#: Of fixed dtypes, since rows join others, and a caller or a file may say 1 for 1.0.
_KNOBS = {
    "max_steps": torch.int64,
    "t_min": torch.float32,
    "t_max": torch.float32,
    "entropy_bound": torch.float32,
    "stability": torch.int64,
    "confidence": torch.float32,
}


@dataclass(frozen=True, eq=False, kw_only=True)
class CanvasRows:
    """What every batch keeps of its canvases.

    Attributes:
        canvas: int64 [B, L], the next decoder input.
        draft: int64 [B, L], the last argmax canvas; -1 before the first step.
        free: bool [B, L], the positions whose domain has more than one token.
        keys: int64 [B], noise streams.
        steps: int64 [B], steps taken.
        unchanged: int64 [B], how many earlier drafts in a row equal the last one.
        max_steps, t_min, t_max, entropy_bound, stability, confidence: [B], see SamplingParams.
    """

    canvas: Tensor
    draft: Tensor
    free: Tensor
    keys: Tensor
    steps: Tensor
    unchanged: Tensor
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

    def progress(self, draft: Tensor) -> dict[str, Tensor]:
        """What a step with this draft, int64 [B, L], changes in every row."""
        same = (draft == self.draft).all(dim=-1)
        unchanged = torch.where(same, self.unchanged + 1, 0)
        return {"draft": draft, "steps": self.steps + 1, "unchanged": unchanged}

    def ends(self, entropy: Tensor) -> tuple[Tensor, Tensor]:
        """Which canvases are stable and confident, which have spent their steps: bool [B] each.

        Args:
            entropy: of the last step, float32 [B, L], nats.
        """
        sure = confident(entropy, self.confidence, self.free)
        return (self.unchanged >= self.stability) & sure, self.steps >= self.max_steps

    def keep(self: R, rows: Tensor) -> R:
        """The rows at these indices, int64 [B']."""
        return self.map(lambda x: x[rows])

    def join(self: R, other: R) -> R:
        """Append the rows of ``other``."""
        values = {f.name: getattr(other, f.name) for f in fields(other)}
        joined: dict[str, Any] = {
            name: torch.cat((getattr(self, name), value))
            for name, value in values.items()
            if value is not None
        }
        return replace(self, **joined)

    def map(self: R, change: Callable[[Tensor], Tensor]) -> R:
        """The rows with every tensor changed."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {n: change(v) for n, v in values.items() if v is not None}
        return replace(self, **changed)


def first_keys(requests: Sequence[CanvasRequest], device: torch.device) -> Tensor:
    """The noise stream of each canvas, int64 [B]."""
    seeds = torch.tensor([r.seed for r in requests], device=device)
    candidates = torch.tensor([r.candidate for r in requests], device=device)
    return stream_keys(seeds, candidates)


def first_progress(
    requests: Sequence[CanvasRequest], free: Tensor, keys: Tensor
) -> dict[str, Tensor]:
    """The fields of canvases before their first step, but the canvas.

    Args:
        requests: one a canvas.
        free: bool [B, L].
        keys: int64 [B], see ``first_keys``.
    """

    def column(name: str, dtype: torch.dtype) -> Tensor:
        values = [getattr(r.sampling, name) for r in requests]
        return torch.tensor(values, dtype=dtype, device=keys.device)

    return {
        "draft": torch.full(free.shape, -1, device=keys.device),
        "free": free,
        "keys": keys,
        "steps": torch.zeros_like(keys),
        "unchanged": torch.zeros_like(keys),
        **{name: column(name, dtype) for name, dtype in _KNOBS.items()},
    }


def reason(satisfied: bool, settled: bool, spent: bool) -> FinishReason | None:
    """Why a canvas leaves, the best reason first; None, and it goes on."""
    if satisfied:
        return FinishReason.SATISFIED
    if settled:
        return FinishReason.STABLE
    return FinishReason.MAX_STEPS if spent else None
