"""All positions of a group differ: Sudoku's rows, columns and boxes, Latin squares.

Every canvas of a layout shares one such rule. Shapes: B canvases, L positions, V tokens, G groups
of n positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class AllDifferent:
    """Within each group, no token occurs twice.

    Attributes:
        length: L.
        groups: int64 [G, n], the positions of each group.
        complete: whether a group has as many positions as its domains have tokens, so that each
            token must occur exactly once. Then the belief is balanced in both directions. Pruning
            counts the tokens itself.
        balance_rounds: of projection.
    """

    length: int
    groups: npt.NDArray[np.int64]
    complete: bool = True
    balance_rounds: int = 4

    @property
    def family(self) -> AllDifferent:
        """The rule itself, which canvases of one layout share."""
        return self

    def stack(
        self,
        others: Sequence[AllDifferent],  # noqa: ARG002  # all the same object
        length: int,  # noqa: ARG002  # its own
        device: torch.device,  # noqa: ARG002  # tensors go where they are needed
    ) -> AllDifferent:
        """The rule itself; see ``Constraint.stack``."""
        return self

    def keep(self, rows: Tensor) -> AllDifferent:  # noqa: ARG002  # all canvases share it
        """The rule itself; see ``BatchConstraint.keep``."""
        return self

    def violations(self, tokens: Tensor) -> Tensor:
        """Surplus occurrences, summed over groups; see ``BatchConstraint.violations``."""
        members = torch.from_numpy(self.groups).to(tokens.device)
        ordered = tokens[:, members].sort(dim=-1).values
        return (ordered[..., 1:] == ordered[..., :-1]).sum(dim=(1, 2))

    def prune(self, domain: Tensor) -> Tensor:
        """Naked and hidden singles to the fixed point; see ``BatchConstraint.prune``.

        A position with one token left takes it from the others of its groups. A group that allows
        no more tokens in all than it has positions needs each of them: one with a single place
        left is decided there. With fewer tokens than positions there is no completion. What any
        of these rules drops, it drops from a smaller domain too, so their order does not matter.
        """
        incidence = self._incidence.to(domain.device)
        possible = domain.float()
        while True:
            pruned = _keep_hidden(_drop_taken(possible, incidence), incidence)
            pruned = pruned * _completable(pruned, incidence)
            if torch.equal(pruned, possible):
                return possible > 0
            possible = pruned

    def project(self, belief: Tensor) -> Tensor:
        """Balance each group towards a doubly stochastic matrix (Sinkhorn 1964).

        A position scales its tokens by the geometric mean of what its groups ask for.
        """
        incidence = self._incidence.to(belief.device)
        share = incidence.T / incidence.sum(dim=0)[:, None].clamp_min(1)  # [L, G]
        for _ in range(self.balance_rounds):
            expected = (incidence @ belief).clamp_min(1e-6)  # [B, G, V]
            excess = expected.log() if self.complete else expected.log().clamp_min(0)
            belief = belief * (-(share @ excess)).exp()
            belief = belief / belief.sum(dim=-1, keepdim=True).clamp_min(1e-30)
        return belief

    @cached_property
    def _incidence(self) -> Tensor:
        """float32 [G, L]: 1 where a position is in a group."""
        incidence = torch.zeros(len(self.groups), self.length)
        incidence.scatter_(1, torch.from_numpy(self.groups), 1.0)
        return incidence


def _drop_taken(possible: Tensor, incidence: Tensor) -> Tensor:
    """A position with one token left takes it from the others of its groups."""
    decided = possible * (possible.sum(dim=-1, keepdim=True) == 1)
    takers = incidence.T @ (incidence @ decided)  # [..., L, V], own share included
    own = decided * incidence.sum(dim=0)[:, None]
    return possible * (takers - own < 0.5)


def _keep_hidden(possible: Tensor, incidence: Tensor) -> Tensor:
    """A needed token with a single place left in a group is decided there; two cannot be."""
    places = incidence @ possible  # [..., G, V]
    needed = (places > 0).sum(dim=-1, keepdim=True) == incidence.sum(dim=-1, keepdim=True)
    single = ((places == 1) & needed).float()
    hidden = possible * (incidence.T @ single > 0)
    count = hidden.sum(dim=-1, keepdim=True)
    return torch.where(count == 0, possible, hidden * (count == 1))


def _completable(possible: Tensor, incidence: Tensor) -> Tensor:
    """Whether every position has a token, every group as many as positions: [..., 1, 1]."""
    enough = (incidence @ possible > 0).sum(dim=-1) >= incidence.sum(dim=-1)
    fine = possible.any(dim=-1).all(dim=-1) & enough.all(dim=-1)
    return fine[..., None, None]
