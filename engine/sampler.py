"""One denoising step: from logits to a belief and the next canvas. Pure functions on tensors.

The entropy-bound sampler of DiffusionGemma (after Ben-Hamu et al. 2025, arXiv 2505.24857), with
what Inkfill adds: domains, clamps as domains of one, a projection of the belief, noise drawn per
canvas, and a step count, temperature and thresholds per canvas.

Shapes: B canvases, L positions, V tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from engine.noise import Noise

#: Takes a belief [B, L, V] and returns a belief of the same shape.
Projection = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class StepSettings:
    """The knobs of one step, one value a canvas, float32 [B] each."""

    temperature: Tensor
    entropy_bound: Tensor


@dataclass(frozen=True, eq=False)
class StepResult:
    """What a step leaves behind.

    Attributes:
        belief: float32 [B, L, V], zero outside the domain.
        canvas: int64 [B, L], the next step's input: accepted samples and fresh noise.
        draft: int64 [B, L], the argmax canvas.
        accepted: bool [B, L].
        entropy: float32 [B, L], nats; 0 at clamped positions.
        candidate_mass: float32 [B, L], the share of the model's own probability, before the
            domain, that lay on the domain; 1 where the domain is a single token, whose logits
            nobody need compute.
    """

    belief: Tensor
    canvas: Tensor
    draft: Tensor
    accepted: Tensor
    entropy: Tensor
    candidate_mass: Tensor

    def keep(self, rows: Tensor) -> StepResult:
        """The rows at these indices, int64 [B']."""
        return StepResult(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def replace_rows(self, rows: Tensor, other: StepResult) -> StepResult:
        """This result with the rows at these indices taken from ``other``, in order."""
        if len(rows) == len(self.canvas):
            return other
        return StepResult(
            **{
                f.name: getattr(self, f.name).index_copy(0, rows, getattr(other, f.name))
                for f in fields(self)
            }
        )


def denoise_step(
    logits: Tensor,
    domain: Tensor | None,
    settings: StepSettings,
    noise: Noise,
    project: Projection | None = None,
    present: Tensor | None = None,
) -> StepResult:
    """Sample, accept and renoise.

    Args:
        logits: softcapped, float32 [B, L, V].
        domain: bool [B, L, V], the tokens each position may take; None allows all.
        settings: temperature and entropy bound of each canvas.
        noise: this step's draws.
        project: applied to the belief before anything is drawn from it.
        present: bool [B, L], False at padding; None when there is none.
    """
    scaled = logits / settings.temperature[:, None, None]
    belief = believe(scaled, domain)
    if project is not None:
        belief = project(belief)
    _, length, vocabulary = belief.shape
    log_belief = belief.log()
    sampled = (log_belief + noise.gumbel(length, vocabulary)).argmax(dim=-1)
    entropy = -(belief * log_belief.clamp_min(-1e30)).sum(dim=-1)
    accepted = accept(entropy, settings.entropy_bound, present)
    fresh = draw_from_domain(noise.renoise(length), domain, vocabulary)
    return StepResult(
        belief=belief,
        canvas=torch.where(accepted, sampled, fresh),
        draft=belief.argmax(dim=-1),
        accepted=accepted,
        entropy=entropy,
        candidate_mass=mass_on(scaled, domain),
    )


def mass_on(logits: Tensor, domain: Tensor | None) -> Tensor:
    """The softmax mass of ``logits`` [B, L, V] that lies on the domain: float32 [B, L].

    1 where the domain is a single token; see ``StepResult.candidate_mass``.
    """
    if domain is None:
        return torch.ones(logits.shape[:-1], device=logits.device)
    inside = logits.masked_fill(~domain, -torch.inf).logsumexp(dim=-1)
    mass = (inside - logits.logsumexp(dim=-1)).exp()
    return mass.masked_fill(domain.sum(dim=-1) == 1, 1.0)


def believe(scaled: Tensor, domain: Tensor | None) -> Tensor:
    """The softmax of temperature-scaled logits [B, L, V] over the domain."""
    if domain is not None:
        scaled = scaled.masked_fill(~domain, -torch.inf)
    return scaled.softmax(dim=-1)


def accept(entropy: Tensor, bound: Tensor, present: Tensor | None = None) -> Tensor:
    """The most certain positions whose joint information is bounded: bool [B, L].

    Positions are taken by rising entropy while the sum of the entropies taken before stays
    within ``bound`` [B] nats, the leftmost of equals first. Padding is never accepted.
    """
    ranked = entropy if present is None else entropy.masked_fill(~present, torch.inf)
    ascending, order = ranked.sort(dim=-1, stable=True)
    within = ascending.cumsum(dim=-1) - ascending <= bound[:, None]
    accepted = torch.zeros_like(within).scatter(-1, order, within)
    return accepted if present is None else accepted & present


def temperature_at(remaining: Tensor, total: Tensor, t_min: Tensor, t_max: Tensor) -> Tensor:
    """The linear schedule ``t_min + (t_max - t_min) * remaining / total``; all [B]."""
    return t_min + (t_max - t_min) * (remaining / total)


def draw_from_domain(uniform: Tensor, domain: Tensor | None, vocabulary: int) -> Tensor:
    """Turn draws in (0, 1) [B, L] into tokens uniform over each domain: int64 [B, L]."""
    if domain is None:
        return (uniform * vocabulary).long()
    sizes = domain.sum(dim=-1)
    rank = (uniform * sizes).long()
    return (domain.cumsum(dim=-1) == rank[..., None] + 1).int().argmax(dim=-1)


def uniform_belief(domain: Tensor) -> Tensor:
    """The belief before the first step: uniform over the domain, bool -> float32 [B, L, V]."""
    return domain / domain.sum(dim=-1, keepdim=True)


def confident(entropy: Tensor, threshold: Tensor, free: Tensor) -> Tensor:
    """Whether mean entropy over the free positions is below ``threshold`` [B]: bool [B]."""
    count = free.sum(dim=-1).clamp_min(1)
    return (entropy * free).sum(dim=-1) / count < threshold
