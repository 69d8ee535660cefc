"""Domains of a batch on a device: sets that positions share, and the one of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.domain import ANYTHING, Domain


@dataclass(frozen=True, eq=False)
class DomainSets:
    """Sets of tokens, and the one of each position; see ``engine.domain.Domain``.

    Attributes:
        sets: bool [R, V].
        which: int32 [B, L], or -1 where any token may stand.
    """

    sets: Tensor
    which: Tensor

    @classmethod
    def stack(
        cls, domains: Sequence[Domain | None], length: int, device: torch.device
    ) -> DomainSets | None:
        """The domains of canvases of at most ``length`` positions; None if none has any.

        Domains that are one object share their sets.
        """
        given = {id(d): d for d in domains if d is not None}
        if not given:
            return None
        offsets: dict[int, int] = {}
        count = 0
        for key, domain in given.items():
            offsets[key] = count
            count += len(domain.sets)
        which = np.full((len(domains), length), ANYTHING, np.int32)
        for row, own in enumerate(domains):
            if own is not None:
                named = np.where(own.which == ANYTHING, ANYTHING, own.which + offsets[id(own)])
                which[row, : len(named)] = named
        sets = torch.from_numpy(np.concatenate([d.sets for d in given.values()]))
        return cls(sets.to(device), torch.from_numpy(which).to(device))

    def sizes(self) -> Tensor:
        """How many tokens each position may take: int64 [B, L]."""
        sizes = self.sets.sum(dim=-1)[self.which.long().clamp_min(0)]
        return torch.where(self.which == ANYTHING, self.sets.shape[1], sizes)

    def draw(self, uniform: Tensor) -> Tensor:
        """Turn draws in (0, 1) [B, L] into tokens uniform over each domain: int64 [B, L]."""
        rank = (uniform * self.sizes()).long()
        tokens = self.sets.nonzero()[:, 1]  # set after set, each in rising order
        starts = self.sets.sum(dim=-1).cumsum(dim=0) - self.sets.sum(dim=-1)
        named = self.which.long().clamp_min(0)
        at = (starts[named] + rank).clamp_max(len(tokens) - 1)
        return torch.where(self.which == ANYTHING, rank, tokens[at])

    def mask(self) -> Tensor:
        """Bool [B, L, V]."""
        return self.sets[self.which.long().clamp_min(0)] | (self.which == ANYTHING)[..., None]

    def cut(self, length: int) -> DomainSets:
        """The domains of the first positions."""
        return DomainSets(self.sets, self.which[:, :length])

    def keep(self, rows: Tensor) -> DomainSets:
        """The domains of the canvases at these indices, int64 [B']."""
        return DomainSets(self.sets, self.which[rows])
