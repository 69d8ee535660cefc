"""Successive places lie next to each other: Hamiltonian paths and cycles.

Position v of the canvas is a vertex, its token the place at which it is visited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from engine.constraints.edges import Adjacency, consistent, normalise, stack_edges


@dataclass(frozen=True, eq=False)
class Tour:
    """The rule of one graph of n vertices, whose tokens are 0 to n - 1.

    Attributes:
        adjacency: bool [n, n].
        cycle: whether the last vertex must lie next to the first.
    """

    adjacency: Adjacency
    cycle: bool

    @property
    def family(self) -> type[Tour]:
        """All graphs together."""
        return Tour

    def stack(self, others: Sequence[Tour], length: int, device: torch.device) -> TourBatch:
        """See ``Constraint.stack``."""
        rules = (self, *others)
        return TourBatch(
            stack_edges([rule.adjacency for rule in rules], length, device),
            torch.tensor([len(rule.adjacency) for rule in rules], device=device),
            torch.tensor([rule.cycle for rule in rules], device=device),
        )


@dataclass(frozen=True, eq=False)
class TourBatch:
    """The rules of a batch of graphs.

    Attributes:
        edges: bool [B, L, L].
        vertices: int64 [B], n of each; later positions are padding, and no part of the tour.
        cycle: bool [B].
        balance_rounds: of projection.
    """

    edges: Tensor
    vertices: Tensor
    cycle: Tensor
    balance_rounds: int = 4

    def keep(self, rows: Tensor) -> TourBatch:
        """See ``BatchConstraint.keep``."""
        return TourBatch(
            self.edges[rows], self.vertices[rows], self.cycle[rows], self.balance_rounds
        )

    def violations(self, tokens: Tensor) -> Tensor:
        """Places that are nobody's, and steps along no edge."""
        length = tokens.shape[1]
        visited = torch.nn.functional.one_hot(tokens, max(length, int(tokens.max()) + 1)).float()
        visited = visited[..., :length] * self._present[..., None]  # [B, L vertices, L places]
        places = self._places(length)
        empty = (visited.sum(dim=1) == 0) & places
        reached = self._weights @ visited  # neighbours of a vertex at each place
        onward = self._after(reached)  # and at the place after each
        along = ((visited * onward).sum(dim=1) > 0) | ~places | self._is_end(length)
        return empty.sum(dim=-1) + (~along & ~empty).sum(dim=-1)

    def prune(self, domain: Tensor) -> Tensor:
        """Each place has one vertex, with neighbours that can come before and after it.

        Taken places, last places and unsupported ones, to the fixed point; see
        ``BatchConstraint.prune``.
        """
        possible = domain
        while True:
            pruned = self._supported(self._keep_hidden(self._drop_taken(possible)))
            pruned = consistent(pruned & self._all_placed(pruned))
            pruned = torch.where(self._present[..., None], pruned, domain & self._any(pruned))
            if torch.equal(pruned, possible):
                return possible
            possible = pruned

    def project(self, belief: Tensor) -> Tensor:
        """Weigh a place by the chance of a neighbour before and after, then balance.

        Balancing is Sinkhorn's (1964): every vertex has one place, every place one vertex.
        """
        present = self._present[..., None]
        real = belief * present
        reached = self._weights @ real
        support = self._after(reached).clamp(1e-3, 1) * self._before(reached).clamp(1e-3, 1)
        real = normalise(real * support, real)
        for _ in range(self.balance_rounds):
            column = real.sum(dim=1, keepdim=True).clamp_min(1e-6)
            real = normalise(real / column, real)
        return torch.where(present, real, belief)

    def _drop_taken(self, possible: Tensor) -> Tensor:
        """A vertex with one place left takes it from the others."""
        real = possible & self._present[..., None]
        decided = real & (real.sum(dim=-1, keepdim=True) == 1)
        takers = decided.sum(dim=-2, keepdim=True) - decided.int()
        return possible & ((takers == 0) | ~self._present[..., None])

    def _keep_hidden(self, possible: Tensor) -> Tensor:
        """A place with a single vertex left is that vertex's; two such are one too many."""
        real = possible & self._present[..., None]
        single = real.sum(dim=-2, keepdim=True) == 1
        hidden = real & single
        count = hidden.sum(dim=-1, keepdim=True)
        return torch.where(count == 0, possible, hidden & (count == 1))

    def _supported(self, possible: Tensor) -> Tensor:
        """Keep a place where a neighbour can be at the one after, and one at the one before."""
        real = possible & self._present[..., None]
        reached = self._weights @ real.float()
        supported = (self._after(reached) > 0) & (self._before(reached) > 0)
        return possible & (supported | ~self._present[..., None])

    def _all_placed(self, possible: Tensor) -> Tensor:
        """Whether every place can still be somebody's: [..., 1, 1]."""
        real = possible & self._present[..., None]
        fine = real.any(dim=-2) | ~self._places(possible.shape[-1])
        return fine.all(dim=-1)[..., None, None]

    @staticmethod
    def _any(possible: Tensor) -> Tensor:
        return possible.any(dim=-1).any(dim=-1)[..., None, None]

    def _after(self, reached: Tensor) -> Tensor:
        """``reached`` [..., B, L, V] at the next place; 1 after the last of a path."""
        return self._turned(reached, 1)

    def _before(self, reached: Tensor) -> Tensor:
        """The same at the place before; 1 before the first of a path."""
        return self._turned(reached, -1)

    def _turned(self, reached: Tensor, by: int) -> Tensor:
        vocabulary = reached.shape[-1]
        at = torch.arange(vocabulary, device=reached.device) + by  # [V]
        n = self.vertices[:, None]
        outside = (at < 0) | (at >= n)  # [B, V]
        index = torch.where(outside, at % n, at).clamp(0, vocabulary - 1)
        turned = reached.gather(-1, index[:, None].expand(reached.shape))
        open_end = outside & ~self.cycle[:, None]
        return turned.masked_fill(open_end[:, None], 1.0)

    def _places(self, vocabulary: int) -> Tensor:
        """Bool [B, V]: the tokens that are places."""
        return torch.arange(vocabulary, device=self.edges.device) < self.vertices[:, None]

    def _is_end(self, vocabulary: int) -> Tensor:
        """Bool [B, V]: the last place of a path, which nothing follows."""
        at = torch.arange(vocabulary, device=self.edges.device)
        return (at == self.vertices[:, None] - 1) & ~self.cycle[:, None]

    @cached_property
    def _present(self) -> Tensor:
        """Bool [B, L]."""
        at = torch.arange(self.edges.shape[-1], device=self.edges.device)
        return at < self.vertices[:, None]

    @cached_property
    def _weights(self) -> Tensor:
        """float32 [B, L, L]."""
        return self.edges.float()
