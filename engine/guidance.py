"""Guidance PROPAGATE: what a constraint does to a denoising step.

Before the first step the domain is pruned, which is sound. At every step the belief is projected,
and the draft is made by a dive: undecided positions take their sampled tokens, as many at once as
propagation finds free of contradiction, and what follows is filled in; then again for what is
left, for a few rounds. Positions with the fewest tokens left come first, and among them those
whose draw was clearest. A token that contradicts even alone is ruled out. A dive is a guess made
anew at each step, so a wrong one costs a step, never an answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from engine.constraints.base import BatchConstraint
from engine.sampler import StepResult

#: Percentages of the undecided positions that take their tokens, tried in this order; then a
#: single position.
SHARES = (100, 50, 25, 10, 4)
ROUNDS = 6
#: Below any belief that matters, and above 0, so that every token has a score.
_LEAST_BELIEF = 1e-30
#: More than any two scores differ by.
WIDEST_MARGIN = 1000.0


class Guide(Protocol):
    """A constraint at work on a batch. Each canvas is computed alone."""

    def keep(self, rows: Tensor) -> Guide:
        """The guide of the canvases at these indices, int64 [B']."""

    def prune(self, domain: Tensor) -> Tensor:
        """See ``BatchConstraint.prune``."""

    def project(self, belief: Tensor) -> Tensor:
        """See ``BatchConstraint.project``."""

    def dive(self, step: StepResult, domain: Tensor, gumbel: Tensor) -> StepResult:
        """Make the draft of a step consistent, as far as can be.

        Args:
            step: a step's result.
            domain: bool [B, L, V], pruned; every position allows a token.
            gumbel: the step's draws, float32 [B, L, V].

        Returns:
            The step with the dive's end as its draft. Belief and canvas stay the sampler's own:
            fed back, a dead end would convince the model of itself.
        """


class EagerGuide:
    """The reference, in PyTorch, for every constraint and device."""

    def __init__(self, constraint: BatchConstraint) -> None:
        self._constraint = constraint

    def keep(self, rows: Tensor) -> EagerGuide:
        """See ``Guide.keep``."""
        return EagerGuide(self._constraint.keep(rows))

    def prune(self, domain: Tensor) -> Tensor:
        """See ``BatchConstraint.prune``."""
        return self._constraint.prune(domain)

    def project(self, belief: Tensor) -> Tensor:
        """See ``BatchConstraint.project``."""
        return self._constraint.project(belief)

    def dive(self, step: StepResult, domain: Tensor, gumbel: Tensor) -> StepResult:
        """See ``Guide.dive``."""
        score = token_scores(step.belief, gumbel)
        possible = domain
        for _ in range(ROUNDS):
            sampled, rank, undecided = _draw(possible, score)
            if not bool(undecided.any()):
                break
            possible = self._descend(possible, sampled, rank, undecided)
        draft = step.belief.masked_fill(~possible, -1).argmax(dim=-1)
        return replace(step, draft=draft)

    def _descend(
        self, possible: Tensor, sampled: Tensor, rank: Tensor, undecided: Tensor
    ) -> Tensor:
        """One round: ``possible`` after the longest tried prefix of tokens, or less one token."""
        taken = torch.nn.functional.one_hot(sampled, possible.shape[-1]).bool()
        count = undecided.sum(dim=-1, keepdim=True)
        lengths = [*(-(-count * share // 100) for share in SHARES), torch.ones_like(count)]
        kept = torch.stack([rank < n for n in lengths]) & undecided  # [K, B, L]
        assumed = torch.where(kept[..., None], possible & taken, possible)
        without = possible & ~(taken & kept[-1, ..., None])  # the single token is ruled out
        trials = torch.cat((assumed, without[None]))  # [K + 1, B, L, V]
        implied = self._constraint.prune(trials)
        consistent = implied.any(dim=-1).all(dim=-1)
        first = consistent.int().argmax(dim=0)
        rows = torch.arange(len(possible), device=possible.device)
        return torch.where(consistent.any(dim=0)[:, None, None], implied[first, rows], possible)


def _draw(possible: Tensor, score: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What each position would take, when, and whether it has a choice: [B, L] each."""
    masked = score.masked_fill(~possible, -torch.inf)
    best, sampled = masked.max(dim=-1)
    second = masked.scatter(-1, sampled[..., None], -torch.inf).amax(dim=-1)
    count = possible.sum(dim=-1)
    undecided = count > 1
    key = count * WIDEST_MARGIN - (best - second).double()
    order = key.masked_fill(~undecided, torch.inf).argsort(dim=-1, stable=True)
    return sampled, order.argsort(dim=-1), undecided


def token_scores(belief: Tensor, gumbel: Tensor) -> Tensor:
    """The best score of any set of tokens is a draw from the belief on that set: [B, L, V]."""
    return belief.clamp_min(_LEAST_BELIEF).log() + gumbel
