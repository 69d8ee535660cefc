"""Rules that couple positions of a canvas: the protocol and the all-different family.

A constraint belongs to a layout and is shared by every canvas laid out that way, so its methods
are batched. Shapes: B canvases, L positions, V tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


class Constraint(Protocol):
    """What a coupling rule can do with a batch of canvases."""

    def violations(self, tokens: Tensor) -> Tensor:
        """How many places of each canvas break the rule: int64 [B, L] -> int64 [B]."""

    def prune(self, domain: Tensor) -> Tensor:
        """Drop tokens that no solution can have: bool [B, L, V] -> bool [B, L, V].

        Sound: a token that some completion of the domain allows is never dropped. A position
        left without a token shows that there is no completion.
        """

    def project(self, belief: Tensor) -> Tensor:
        """Move the belief towards what the rule allows: float32 [B, L, V] -> the same, rows sum to 1."""


@dataclass(frozen=True, eq=False)
class AllDifferent:
    """Within each group, no token occurs twice.

    Attributes:
        groups: int64 [G, n], the positions of each group; every group has n members.
        complete: whether a group has as many positions as tokens, so that each token must occur
            exactly once: then hidden singles are found and rows and columns are balanced.
        rounds: of propagation in ``prune``, and of balancing in ``project``.
    """

    groups: npt.NDArray[np.int64]
    complete: bool = True
    prune_rounds: int = 64
    balance_rounds: int = 4

    @cached_property
    def _members(self) -> Tensor:
        return torch.from_numpy(self.groups)

    def violations(self, tokens: Tensor) -> Tensor:
        """Surplus occurrences, summed over groups; see ``Constraint.violations``."""
        ordered = tokens[:, self._members.to(tokens.device)].sort(dim=-1).values
        return (ordered[..., 1:] == ordered[..., :-1]).sum(dim=(1, 2))

    def prune(self, domain: Tensor) -> Tensor:
        """Naked and hidden singles to a fixed point; see ``Constraint.prune``."""
        members = self._members.to(domain.device)
        for _ in range(self.prune_rounds):
            pruned = self._drop_taken(domain, members)
            if self.complete:
                pruned = self._keep_hidden(pruned, members)
            if torch.equal(pruned, domain):
                break
            domain = pruned
        return domain

    def project(self, belief: Tensor) -> Tensor:
        """Balance each group towards a doubly stochastic matrix (Sinkhorn 1964)."""
        members = self._members.to(belief.device)
        batch, length, vocabulary = belief.shape
        counts = torch.bincount(members.flatten(), minlength=length).clamp_min(1)
        for _ in range(self.balance_rounds):
            totals = belief[:, members].sum(dim=2)  # [B, G, V]: how often each token is expected
            scale = totals.clamp_min(1e-6).reciprocal()
            if not self.complete:
                scale = scale.clamp_max(1.0)
            log_scale = torch.zeros(batch, length, vocabulary, device=belief.device)
            per_member = scale.log()[:, :, None].expand(-1, -1, members.shape[1], -1)
            log_scale.index_add_(1, members.flatten(), per_member.flatten(1, 2))
            belief = belief * (log_scale / counts[:, None]).exp()
            belief = belief / belief.sum(dim=-1, keepdim=True).clamp_min(1e-30)
        return belief

    def _drop_taken(self, domain: Tensor, members: Tensor) -> Tensor:
        """A position decided elsewhere in a group takes its token from the others."""
        decided = domain & (domain.sum(dim=-1, keepdim=True) == 1)
        takers = decided[:, members].sum(dim=2)  # [B, G, V]
        taken = self._spread(takers, members, domain.shape[1])
        own = decided * torch.bincount(members.flatten(), minlength=domain.shape[1])[:, None]
        return domain & (taken - own <= 0)

    def _keep_hidden(self, domain: Tensor, members: Tensor) -> Tensor:
        """A token with a single place left in a group is decided there."""
        single = domain[:, members].sum(dim=2) == 1
        hidden = domain & (self._spread(single, members, domain.shape[1]) > 0)
        any_hidden = hidden.any(dim=-1, keepdim=True)
        return torch.where(any_hidden, hidden, domain)

    @staticmethod
    def _spread(per_group: Tensor, members: Tensor, length: int) -> Tensor:
        """Sum [B, G, V] over the groups of each position: int64 [B, L, V]."""
        batch, _, vocabulary = per_group.shape
        out = torch.zeros(batch, length, vocabulary, dtype=torch.int64, device=per_group.device)
        values = per_group.long()[:, :, None].expand(-1, -1, members.shape[1], -1)
        return out.index_add_(1, members.flatten(), values.flatten(1, 2))
