"""The denoising head: what a step wants of the logits, a few numbers a position.

``engine.sampler.denoise_step`` makes a belief of all logits first, which a vocabulary of 262,144
makes as large as the model's activations together. Here nothing of that size is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.raw_logits import RawLogits
from engine.kernels.triton_device import on_device_of, runs_triton
from engine.noise import CounterNoise
from engine.sampler import believe, mass_on


@dataclass(frozen=True, eq=False)
class HeadResult:
    """What the head leaves behind, all [B, L].

    Positions that are not free hold their token, with entropy and log-sum-exp 0 and mass 1.

    Attributes:
        draft: int64, the likeliest token; the first of equals.
        sampled: int64, a draw from the belief.
        entropy: float32, nats.
        log_sum_exp: float32, of the scaled logits over the domain; a token's belief is the
            exponential of its scaled logit less this.
        candidate_mass: float32; see ``engine.sampler.StepResult``.
    """

    draft: Tensor
    sampled: Tensor
    entropy: Tensor
    log_sum_exp: Tensor
    candidate_mass: Tensor

    @classmethod
    def clamped(cls, held: Tensor) -> HeadResult:
        """As though no position were free, for ``held`` [B, L]; nothing in it is shared."""
        entropy, log_sum_exp = (torch.zeros(held.shape, device=held.device) for _ in range(2))
        mass = torch.ones(held.shape, device=held.device)
        dense = torch.contiguous_format
        draft, sampled = (held.clone(memory_format=dense) for _ in range(2))
        return cls(draft, sampled, entropy, log_sum_exp, mass)


def denoising_head(logits: RawLogits, held: Tensor, noise: CounterNoise) -> HeadResult:
    """Draft, sample, entropy, log-sum-exp and candidate mass of each free position.

    Args:
        logits: of the free positions.
        held: int64 [B, L], the tokens of all other positions.
        noise: this step's draws.
    """
    if not runs_triton(logits.values):
        return plain_denoising_head(logits, held, noise)
    from engine.kernels.gpu_denoising_head import gpu_denoising_head

    with on_device_of(logits.values):
        return gpu_denoising_head(logits, held, noise)


def plain_denoising_head(logits: RawLogits, held: Tensor, noise: CounterNoise) -> HeadResult:
    """See ``denoising_head``; in the terms of ``engine.sampler``."""
    scaled, allowed = logits.scaled(), logits.allowed()
    belief = believe(scaled, allowed)
    log_belief = belief.log()
    gumbel = logits.at_cells(noise.gumbel(logits.length, logits.vocabulary))
    inside = scaled if allowed is None else scaled.masked_fill(~allowed, -torch.inf)
    result = HeadResult.clamped(held)
    found = {
        "draft": belief.argmax(dim=-1),
        "sampled": (log_belief + gumbel).argmax(dim=-1),
        "entropy": -(belief * log_belief.clamp_min(-1e30)).sum(dim=-1),
        "log_sum_exp": inside.logsumexp(dim=-1),
        "candidate_mass": mass_on(scaled, allowed),
    }
    for name, values in found.items():
        getattr(result, name).view(-1)[logits.cells] = values
    return result
