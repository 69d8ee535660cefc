"""At most one end of every edge is chosen, and enough are in all: independent sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from engine.constraints.edges import Adjacency, consistent, exclude, normalise, stack_edges

#: Tokens of a position.
LEFT_OUT, CHOSEN = 0, 1


@dataclass(frozen=True, eq=False)
class AtMostOne:
    """The rule of one graph. Its positions take token 1 where a vertex is chosen, else token 0.

    Attributes:
        adjacency: bool [n, n]; vertex v is position v.
        least: how many are to be chosen, at least.
    """

    adjacency: Adjacency
    least: int = 0

    @property
    def family(self) -> type[AtMostOne]:
        """All graphs together."""
        return AtMostOne

    def stack(
        self, others: Sequence[AtMostOne], length: int, device: torch.device
    ) -> AtMostOneBatch:
        """See ``Constraint.stack``."""
        rules = (self, *others)
        return AtMostOneBatch(
            stack_edges([rule.adjacency for rule in rules], length, device),
            torch.tensor([rule.least for rule in rules], device=device),
        )


@dataclass(frozen=True, eq=False)
class AtMostOneBatch:
    """The rules of a batch of graphs.

    Attributes:
        edges: bool [B, L, L].
        least: int64 [B].
        balance_rounds: of projection.
    """

    edges: Tensor
    least: Tensor
    balance_rounds: int = 4

    def keep(self, rows: Tensor) -> AtMostOneBatch:
        """See ``BatchConstraint.keep``."""
        return AtMostOneBatch(self.edges[rows], self.least[rows], self.balance_rounds)

    def violations(self, tokens: Tensor) -> Tensor:
        """Edges with both ends chosen, and how many are missing to the least size."""
        chosen = tokens == CHOSEN
        both = chosen[:, :, None] & chosen[:, None, :] & self.edges
        missing = (self.least - chosen.sum(dim=-1)).clamp_min(0)
        return both.sum(dim=(1, 2)) // 2 + missing

    def prune(self, domain: Tensor) -> Tensor:
        """A chosen vertex rules out its neighbours, to the fixed point.

        Where no more vertices can be chosen than must be, all of those are; where fewer can, there
        is no completion. See ``BatchConstraint.prune``.
        """
        possible = domain
        while True:
            pruned = consistent(self._choose_needed(self._rule_out(possible)))
            if torch.equal(pruned, possible):
                return possible
            possible = pruned

    def project(self, belief: Tensor) -> Tensor:
        """Weigh a choice by how far neighbours leave room for it, then ask for enough."""
        weight = torch.ones_like(belief)
        weight[..., CHOSEN] = exclude(belief, self._weights)[..., CHOSEN]
        belief = normalise(belief * weight, belief)
        for _ in range(self.balance_rounds):
            expected = belief[..., CHOSEN].sum(dim=-1).clamp_min(1e-6)
            scale = torch.ones_like(belief)
            scale[..., CHOSEN] = (self.least / expected).clamp_min(1)[:, None]
            belief = normalise(belief * scale, belief)
        return belief

    def _rule_out(self, possible: Tensor) -> Tensor:
        decided = possible[..., CHOSEN] & (possible.sum(dim=-1) == 1)
        taken = (self._weights @ decided.float()[..., None])[..., 0] > 0
        out = torch.zeros_like(possible)
        out[..., CHOSEN] = taken
        return possible & ~out

    def _choose_needed(self, possible: Tensor) -> Tensor:
        choosable = possible[..., CHOSEN]
        spare = choosable.sum(dim=-1) - self.least
        needed = choosable & (spare == 0)[..., None]
        out = torch.zeros_like(possible)
        out[..., LEFT_OUT] = needed
        return possible & ~out & (spare >= 0)[..., None, None]

    @cached_property
    def _weights(self) -> Tensor:
        """float32 [B, L, L]."""
        return self.edges.float()
