"""Domains as a few sets that positions share.

A row of V flags a position would be 67 MB for a canvas of 256 at V = 262,144, and to be written
anew whenever one is admitted. Requests name few sets: digits, letters, the one token of a clamp.

Shapes: B canvases, L positions, V tokens, R sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.domain import ANYTHING, Domain


@dataclass(frozen=True, eq=False)
class DomainSets:
    """Which tokens each position may take.

    Attributes:
        sets: bool [R, V], at least one row; none that is in use may be empty.
        which: int32 [B, L], the set of each position; -1 allows every token.
    """

    sets: Tensor
    which: Tensor

    @classmethod
    def of(cls, domain: Domain, length: int, device: torch.device) -> DomainSets:
        """The domain of one canvas of at most ``length`` positions."""
        which = np.full((1, length), ANYTHING, np.int32)
        which[0, : len(domain.which)] = domain.which
        return cls(torch.from_numpy(domain.sets).to(device), torch.from_numpy(which).to(device))

    @classmethod
    def join(
        cls, parts: Sequence[DomainSets | None], length: int, device: torch.device
    ) -> DomainSets | None:
        """The domains of several canvases, one each; None if none has any."""
        given = [part for part in parts if part is not None]
        if not given:
            return None
        rows, count = [], 0
        anything = torch.full((1, length), ANYTHING, dtype=torch.int32, device=device)
        for part in parts:
            if part is None:
                rows.append(anything)
                continue
            rows.append(torch.where(part.which == ANYTHING, ANYTHING, part.which + count))
            count += len(part.sets)
        return cls(torch.cat([part.sets for part in given]), torch.cat(rows))

    def sizes(self) -> Tensor:
        """How many tokens each position may take: int64 [B, L]."""
        sizes = self.sets.sum(dim=-1)[self.which.long().clamp_min(0)]
        return torch.where(self.which == ANYTHING, self.sets.shape[1], sizes)

    def draw(self, uniform: Tensor) -> Tensor:
        """Turn draws in (0, 1) [B, L] into tokens uniform over each domain: int64 [B, L]."""
        rank = (uniform * self.sizes()).long()
        tokens = self.sets.nonzero()[:, 1]  # set after set, each in rising order
        starts = self.sets.sum(dim=-1).cumsum(dim=0) - self.sets.sum(dim=-1)
        at = starts[self.which.long().clamp_min(0)] + rank
        return torch.where(self.which == ANYTHING, rank, tokens[at.clamp_max(len(tokens) - 1)])

    def cut(self, length: int) -> DomainSets:
        """The domains of the first positions."""
        return DomainSets(self.sets, self.which[:, :length])

    def keep(self, rows: Tensor) -> DomainSets:
        """The domains of the canvases at these indices, int64 [B']."""
        return DomainSets(self.sets, self.which[rows])

    def allowed(self, which: Tensor) -> Tensor:
        """The sets of these numbers, int [...]: bool [..., V]."""
        return self.sets[which.clamp_min(0).long()] | (which < 0)[..., None]

    def dense(self) -> Tensor:
        """The domain of every position: bool [B, L, V]."""
        return self.allowed(self.which)
