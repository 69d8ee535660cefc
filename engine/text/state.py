"""The tensors of a running batch of text canvases, and what a step of it leaves.

Of what was believed a step ago only the soft embedding is kept: with 262,144 tokens a belief is
as large as the activations of all layers together.
Shapes: B canvases, L positions, D hidden, V tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.canvas import FREE, CanvasRequest
from engine.canvas_rows import CanvasRows, first_keys, first_progress
from engine.domain_sets import DomainSets
from engine.kernels.progress import progress
from engine.noise import CounterNoise
from engine.sampler import draw_from_domain


@dataclass(frozen=True, eq=False)
class TextStep:
    """What a step leaves behind.

    Attributes:
        canvas: int64 [B, L], the next step's input.
        draft: int64 [B, L], the argmax canvas.
        accepted: bool [B, L].
        entropy: float32 [B, L], nats; 0 at clamps and padding.
        candidate_mass: float32 [B, L]; see ``engine.sampler.StepResult``.
        signal: [B, L, D], the belief as soft embeddings.
    """

    canvas: Tensor
    draft: Tensor
    accepted: Tensor
    entropy: Tensor
    candidate_mass: Tensor
    signal: Tensor

    def widened(self, width: int) -> TextStep:
        """With padding up to so many positions: zeros."""
        added = width - self.canvas.shape[1]
        flat = {f.name: F.pad(getattr(self, f.name), (0, added)) for f in fields(self)[:-1]}
        return TextStep(**flat, signal=F.pad(self.signal, (0, 0, 0, added)))

    @classmethod
    def join(cls, parts: Sequence[TextStep]) -> TextStep:
        """Several steps' rows, one after another."""
        names = [f.name for f in fields(cls)]
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


@dataclass(frozen=True, eq=False, kw_only=True)
class TextState(CanvasRows):
    """One row a canvas; shorter canvases are padded with positions that are not free.

    Attributes:
        signal: [B, L, D], the belief of the step before as soft embeddings; zeros for none.
        lengths: int32 [B], positions that are no padding.
    """

    signal: Tensor
    lengths: Tensor

    def cut(self, length: int) -> TextState:
        """The first positions."""
        return replace(
            self,
            canvas=self.canvas[:, :length],
            draft=self.draft[:, :length],
            free=self.free[:, :length],
            signal=self.signal[:, :length],
        )


@dataclass(frozen=True, eq=False)
class Moved:
    """Canvases a step further.

    Attributes:
        state: after the step.
        step: what it left. It and the state may be overwritten by the next step.
        ends: int64 [3, B], see ``engine.kernels.progress.Progress``.
    """

    state: TextState
    step: TextStep
    ends: Tensor

    @classmethod
    def by(cls, step: TextStep, state: TextState) -> Moved:
        """From the state before a step."""
        found = progress(state, step.draft, step.entropy)
        after = replace(
            state,
            canvas=step.canvas,
            draft=step.draft,
            signal=step.signal,
            steps=found.steps,
            unchanged=found.unchanged,
        )
        return cls(after, step, found.ends)


def first_text_state(
    requests: Sequence[CanvasRequest],
    length: int,
    embeddings: Tensor,
    domain: DomainSets | None = None,
) -> TextState:
    """The state before the first step: noise inside the domains, clamps certain, no belief else.

    Args:
        requests: canvases of at most ``length`` positions.
        length: L.
        embeddings: [V, D].
        domain: of the canvases, clamps aside; None allows all.
    """
    device, vocabulary = embeddings.device, len(embeddings)
    keys = first_keys(requests, device)
    clamps = torch.from_numpy(np.stack([_padded(r.clamps, length) for r in requests])).to(device)
    free = clamps == FREE
    uniform = CounterNoise(keys, torch.zeros_like(keys)).start(length)
    if domain is None:
        start = draw_from_domain(uniform, None, vocabulary)
    else:
        start = domain.draw(uniform)
        free = free & (domain.sizes() > 1)
    canvas = torch.where(clamps == FREE, start, clamps)
    signal = embeddings[canvas].masked_fill(free[..., None], 0.0)
    return TextState(
        canvas=canvas,
        signal=signal,
        lengths=torch.tensor([r.length for r in requests], dtype=torch.int32, device=device),
        **first_progress(requests, free, keys),
    )


def _padded(clamps: np.ndarray, length: int) -> np.ndarray:
    """Clamps [n] as [length]; padding holds token 0."""
    return np.pad(clamps, (0, length - len(clamps)))
