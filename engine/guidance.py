"""Guidance PROPAGATE: what a constraint does to a denoising step.

Before the first step the domain is pruned, which is sound. At every step the belief is projected,
and the draft is made by a dive: the most certain positions take their sampled tokens, as many at
once as propagation finds free of contradiction, and what follows is filled in; then again for
what is left, for a few rounds. A token that contradicts even alone is ruled out. A dive is a
guess made anew at each step, so a wrong one costs a step, never an answer.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.constraints import Constraint
from engine.sampler import StepResult

#: Shares of the undecided positions that take their tokens, all tried at once; a single position
#: is tried too.
_SHARES = (1.0, 0.5, 0.25, 0.1, 0.04)
_ROUNDS = 6


def dive(step: StepResult, domain: Tensor, gumbel: Tensor, constraint: Constraint) -> StepResult:
    """Make the draft of a step consistent, as far as can be.

    Args:
        step: a step's result.
        domain: bool [B, L, V], pruned; every position allows a token.
        gumbel: the step's draws, float32 [B, L, V].
        constraint: of the layout.

    Returns:
        The step with the dive's end as its draft. Belief and canvas stay the sampler's own: fed
        back, a dead end would convince the model of itself.
    """
    possible = domain
    for _ in range(_ROUNDS):
        undecided = possible.sum(dim=-1) > 1
        if not bool(undecided.any()):
            break
        possible = _descend(step.belief, possible, undecided, gumbel, constraint)
    return replace(step, draft=_normalised(step.belief, possible).argmax(dim=-1))


def _descend(
    belief: Tensor, possible: Tensor, undecided: Tensor, gumbel: Tensor, constraint: Constraint
) -> Tensor:
    """One round: ``possible`` after the longest tried prefix of tokens, or less one token."""
    batch, length, vocabulary = possible.shape
    restricted = _normalised(belief, possible)
    log_belief = restricted.log()
    sampled = (log_belief + gumbel).argmax(dim=-1)
    entropy = -(restricted * log_belief.clamp_min(-1e30)).sum(dim=-1)
    rank = entropy.masked_fill(~undecided, torch.inf).argsort(dim=-1, stable=True).argsort(dim=-1)
    taken = torch.nn.functional.one_hot(sampled, vocabulary).bool()
    count = undecided.sum(dim=-1, keepdim=True)
    lengths = [*((share * count).ceil() for share in _SHARES), torch.ones_like(count)]
    kept = torch.stack([rank < n for n in lengths]) & undecided  # [K, B, L]
    assumed = torch.where(kept[..., None], possible & taken, possible)
    without = possible & ~(taken & kept[-1, ..., None])  # the single token is ruled out
    trials = torch.cat((assumed, without[None])).flatten(0, 1)
    implied = constraint.prune(trials).view(-1, batch, length, vocabulary)
    consistent = implied.any(dim=-1).all(dim=-1)
    first = consistent.int().argmax(dim=0)
    rows = torch.arange(batch, device=possible.device)
    return torch.where(consistent.any(dim=0)[:, None, None], implied[first, rows], possible)


def _normalised(belief: Tensor, possible: Tensor) -> Tensor:
    """The belief on what is possible; uniform where it has no mass there."""
    restricted = belief * possible
    total = restricted.sum(dim=-1, keepdim=True)
    uniform = possible / possible.sum(dim=-1, keepdim=True).clamp_min(1)
    return torch.where(total > 1e-12, restricted / total.clamp_min(1e-12), uniform)
