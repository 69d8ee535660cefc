"""The ends of every edge differ: graph colouring, and whatever reduces to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from engine.constraints.edges import Adjacency, consistent, exclude, normalise, stack_edges


@dataclass(frozen=True, eq=False)
class NotEqual:
    """The rule of one graph.

    Attributes:
        adjacency: bool [n, n]; vertex v is position v.
    """

    adjacency: Adjacency

    @property
    def family(self) -> type[NotEqual]:
        """All graphs together."""
        return NotEqual

    def stack(self, others: Sequence[NotEqual], length: int, device: torch.device) -> NotEqualBatch:
        """See ``Constraint.stack``."""
        matrices = [rule.adjacency for rule in (self, *others)]
        return NotEqualBatch(stack_edges(matrices, length, device))


@dataclass(frozen=True, eq=False)
class NotEqualBatch:
    """The rules of a batch of graphs.

    Attributes:
        edges: bool [B, L, L].
    """

    edges: Tensor

    def keep(self, rows: Tensor) -> NotEqualBatch:
        """See ``BatchConstraint.keep``."""
        return NotEqualBatch(self.edges[rows])

    def violations(self, tokens: Tensor) -> Tensor:
        """Edges whose ends are equal; see ``BatchConstraint.violations``."""
        equal = tokens[:, :, None] == tokens[:, None, :]
        return (equal & self.edges).sum(dim=(1, 2)) // 2

    def prune(self, domain: Tensor) -> Tensor:
        """Forward checking to the fixed point; see ``BatchConstraint.prune``.

        A position with one token left takes it from its neighbours.
        """
        possible = domain
        while True:
            decided = possible & (possible.sum(dim=-1, keepdim=True) == 1)
            pruned = consistent(possible & ~(self._weights @ decided.float() > 0))
            if torch.equal(pruned, possible):
                return possible
            possible = pruned

    def project(self, belief: Tensor) -> Tensor:
        """Weigh each token by how far neighbours leave it free."""
        return normalise(belief * exclude(belief, self._weights), belief)

    @cached_property
    def _weights(self) -> Tensor:
        """float32 [B, L, L]."""
        return self.edges.float()
