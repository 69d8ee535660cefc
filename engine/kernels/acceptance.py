"""Accept and renoise: which sampled tokens a step keeps, and what the others are drawn anew as."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.domain_sets import DomainSets
from engine.kernels.triton_device import on_device_of, runs_triton
from engine.noise import CounterNoise
from engine.sampler import accept, draw_from_domain

#: Positions of a canvas that one program holds.
LONGEST = 1024


def accept_and_renoise(
    entropy: Tensor,
    sampled: Tensor,
    bound: Tensor,
    noise: CounterNoise,
    vocabulary: int,
    domain: DomainSets | None = None,
    present: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Accept the most certain positions, and draw the others anew from their domains.

    Args:
        entropy: float32 [B, L], nats, finite.
        sampled: int64 [B, L].
        bound: float32 [B], nats; see ``engine.sampler.accept``.
        noise: this step's draws.
        vocabulary: V, how many tokens there are.
        domain: what each position may take; None allows all.
        present: bool [B, L], False at padding; None when there is none.

    Returns:
        The next canvas, int64 [B, L], and what was accepted, bool [B, L].
    """
    if not runs_triton(entropy) or entropy.shape[1] > LONGEST:
        return plain_accept_and_renoise(entropy, sampled, bound, noise, vocabulary, domain, present)
    from engine.kernels.gpu_acceptance import gpu_accept_and_renoise

    with on_device_of(entropy):
        return gpu_accept_and_renoise(entropy, sampled, bound, noise, vocabulary, domain, present)


def plain_accept_and_renoise(
    entropy: Tensor,
    sampled: Tensor,
    bound: Tensor,
    noise: CounterNoise,
    vocabulary: int,
    domain: DomainSets | None = None,
    present: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """See ``accept_and_renoise``; the end of ``engine.sampler.denoise_step``."""
    accepted = accept(entropy, bound, present)
    dense = None if domain is None else domain.dense()
    fresh = draw_from_domain(noise.renoise(entropy.shape[1]), dense, vocabulary)
    return torch.where(accepted, sampled, fresh), accepted
