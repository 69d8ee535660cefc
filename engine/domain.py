"""The tokens that each position of a canvas may take.

Few sets serve many positions: with a vocabulary of 262,144 a mask of 256 positions is 67 MB, and a
set shared by them 262 kB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: In ``Domain.which``: this position may take any token.
ANYTHING = -1


@dataclass(frozen=True, eq=False)
class Domain:
    """Sets of tokens, and the one of each position. R sets, L positions, V tokens.

    Attributes:
        sets: bool [R, V].
        which: int64 [L], the set of each position, or ``ANYTHING``.
    """

    sets: npt.NDArray[np.bool_]
    which: npt.NDArray[np.int64]

    @classmethod
    def of(cls, mask: npt.NDArray[np.bool_]) -> Domain:
        """The domain that a mask [L, V] says, each position with a set of its own."""
        return cls(mask, np.arange(len(mask)))

    @classmethod
    def everywhere(cls, allowed: npt.NDArray[np.bool_], length: int) -> Domain:
        """The same set, bool [V], at each of so many positions."""
        return cls(allowed[None], np.zeros(length, np.int64))

    def mask(self) -> npt.NDArray[np.bool_]:
        """Bool [L, V], as a new array."""
        allowed = self.sets[np.maximum(self.which, 0)] if len(self.sets) else self._nothing()
        allowed[self.which == ANYTHING] = True
        return allowed

    def allows(
        self, positions: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Whether each position may take the token beside it: bool, as long as both."""
        which = self.which[positions]
        inside = np.ones(len(which), np.bool_)
        named = which != ANYTHING
        inside[named] = self.sets[which[named], tokens[named]]
        return inside

    def _nothing(self) -> npt.NDArray[np.bool_]:
        return np.zeros((len(self.which), self.sets.shape[1]), np.bool_)
