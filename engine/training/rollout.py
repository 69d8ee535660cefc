"""Live canvases: the sampler's own states, which training sees exactly as sampling will."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.noise import CounterNoise, stream_keys
from engine.sampler import StepSettings, denoise_step, draw_from_domain, uniform_belief
from engine.training.source import Problems, TrainingSource


@dataclass(frozen=True)
class RolloutSettings:
    """How live canvases move and when they are replaced.

    Attributes:
        horizon: steps after which a canvas is replaced.
        retire: chance a step that a solved canvas is replaced.
        temperature: of the belief.
        entropy_bound: of acceptance, nats.
    """

    horizon: int = 16
    retire: float = 0.5
    temperature: float = 0.6
    entropy_bound: float = 0.1


class LiveCanvases:
    """A batch of canvases at mixed ages that steps forward with the model being trained."""

    def __init__(
        self,
        source: TrainingSource,
        count: int,
        settings: RolloutSettings,
        rng: np.random.Generator,
        device: torch.device,
    ) -> None:
        self.source = source
        self.settings = settings
        self.rng = rng
        self.device = device
        self.problems = source.draw(count, rng).to(device)
        self.ages = torch.from_numpy(rng.integers(0, settings.horizon, count)).to(device)
        self.keys = self._fresh_keys(count)
        self.canvas, self.belief = _first_state(self.problems, self.keys)
        self.problems.labels[:] = source.labels_for(self.problems, self.canvas)

    @torch.no_grad()
    def advance(self, logits: Tensor) -> Tensor:
        """Move every canvas one sampler step, replace what is done; returns solved, bool [B]."""
        count, settings = len(self.ages), self.settings
        step = denoise_step(
            logits,
            self.problems.domain,
            StepSettings(
                torch.full((count,), settings.temperature, device=self.device),
                torch.full((count,), settings.entropy_bound, device=self.device),
            ),
            CounterNoise(self.keys, self.ages),
        )
        self.canvas, self.belief = step.canvas, step.belief
        self.ages = self.ages + 1
        self.problems.labels[:] = self.source.labels_for(self.problems, step.draft)
        solved = (step.draft == self.problems.labels).all(dim=-1)
        tired = torch.from_numpy(self.rng.random(count) < settings.retire).to(self.device)
        retired = solved & tired
        self._replace((retired | (self.ages >= settings.horizon)).nonzero().squeeze(-1))
        return solved

    def _replace(self, where: Tensor) -> None:
        if not len(where):
            return
        fresh = self.source.draw(len(where), self.rng).to(self.device)
        self.keys[where] = self._fresh_keys(len(where))
        self.ages[where] = 0
        canvas, belief = _first_state(fresh, self.keys[where])
        self.canvas[where], self.belief[where] = canvas, belief
        fresh.labels[:] = self.source.labels_for(fresh, canvas)
        self.problems.overwrite(where, fresh)

    def _fresh_keys(self, count: int) -> Tensor:
        seeds = torch.from_numpy(self.rng.integers(0, 2**62, count)).to(self.device)
        return stream_keys(seeds, torch.zeros_like(seeds))


def _first_state(problems: Problems, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Noise inside the domains, and the belief that knows the clamps alone."""
    length, vocabulary = problems.domain.shape[1:]
    start = CounterNoise(keys, torch.zeros_like(keys)).start(length)
    canvas = draw_from_domain(start, problems.domain, vocabulary)
    return canvas, uniform_belief(problems.domain)
