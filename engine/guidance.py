"""Guidance PROPAGATE: what a constraint does to a denoising step.

Before the first step the domain is pruned, which is sound. At every step the belief is projected,
and then the sample is made consistent: the most certain accepted tokens are kept, as many as
propagation finds free of contradiction, and what follows from them is filled in. That last part
is a guess made anew at each step, so a wrong guess costs a step and never an answer.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from engine.constraints import Constraint
from engine.sampler import StepResult

#: Shares of the accepted tokens that are tried, all at once.
_SHARES = (1.0, 0.75, 0.5, 0.3, 0.15, 0.05)


def make_consistent(step: StepResult, domain: Tensor, constraint: Constraint) -> StepResult:
    """Keep the longest tried prefix of the most certain tokens that propagation allows.

    Args:
        step: a step's result, its tokens inside the domain.
        domain: bool [B, L, V], pruned.
        constraint: of the layout.

    Returns:
        The step with its belief restricted to what follows from the kept tokens, its canvas
        filled in where that decides, and ``accepted`` to match. A canvas of which no prefix is
        consistent keeps its belief and is renoised.
    """
    batch, length, vocabulary = domain.shape
    kept = _prefixes(step)  # [K, B, L]
    sampled = torch.nn.functional.one_hot(step.canvas, vocabulary).bool()
    assumed = torch.where(kept[..., None], domain & sampled, domain)
    implied = constraint.prune(assumed.flatten(0, 1)).view(-1, batch, length, vocabulary)
    consistent = implied.any(dim=-1).all(dim=-1)  # [K, B]
    first = consistent.int().argmax(dim=0)  # longest consistent prefix of each canvas
    rows = torch.arange(batch, device=domain.device)
    found = consistent.any(dim=0)
    possible = torch.where(found[:, None, None], implied[first, rows], domain)
    return _restrict(step, possible, found)


def _prefixes(step: StepResult) -> Tensor:
    """The accepted positions, most certain first, cut at each share: bool [K, B, L]."""
    certainty = step.entropy.masked_fill(~step.accepted, torch.inf)
    rank = certainty.argsort(dim=-1, stable=True).argsort(dim=-1)
    count = step.accepted.sum(dim=-1, keepdim=True)
    shares = torch.tensor(_SHARES, device=rank.device)[:, None, None]
    return (rank < (shares * count).ceil()) & step.accepted


def _restrict(step: StepResult, possible: Tensor, found: Tensor) -> StepResult:
    """Apply what follows from the kept tokens."""
    restricted = step.belief * possible
    total = restricted.sum(dim=-1, keepdim=True)
    uniform = possible / possible.sum(dim=-1, keepdim=True).clamp_min(1)
    belief = torch.where(total > 1e-12, restricted / total.clamp_min(1e-12), uniform)
    decided = (possible.sum(dim=-1) == 1) & found[:, None]
    draft = belief.argmax(dim=-1)
    return replace(
        step,
        belief=belief,
        draft=draft,
        canvas=torch.where(decided, draft, step.canvas),
        accepted=decided,
    )
