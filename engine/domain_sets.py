"""Domains as a few sets that positions share.

A row of V flags a position would be 67 MB for a canvas of 256 at V = 262,144, and to be written
anew whenever one is admitted. Requests name few sets: digits, letters, the one token of a clamp.

Shapes: B canvases, L positions, V tokens, R sets.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class DomainSets:
    """Which tokens each position may take.

    Attributes:
        sets: bool [R, V], at least one row; none that is in use may be empty.
        which: int32 [B, L], the set of each position; -1 allows every token.
    """

    sets: Tensor
    which: Tensor

    def allowed(self, which: Tensor) -> Tensor:
        """The sets of these numbers, int [...]: bool [..., V]."""
        return self.sets[which.clamp_min(0).long()] | (which < 0)[..., None]

    def dense(self) -> Tensor:
        """The domain of every position: bool [B, L, V]."""
        return self.allowed(self.which)
