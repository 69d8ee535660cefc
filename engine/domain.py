"""The tokens that each position of a canvas may take.

Few sets serve many positions: with a vocabulary of 262,144 a mask of 256 positions is 67 MB, and a
set shared by them 262 kB. A request may wait for long, so its sets are kept a bit a token, 33 kB,
until they are asked for.
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
        packed: uint8 [R, V / 8, rounded up], the sets, a bit a token, the lowest first.
        vocabulary: V.
        which: int64 [L], the set of each position, or ``ANYTHING``.
    """

    packed: npt.NDArray[np.uint8]
    vocabulary: int
    which: npt.NDArray[np.int64]

    @classmethod
    def of_sets(cls, sets: npt.NDArray[np.bool_], which: npt.NDArray[np.int64]) -> Domain:
        """The domain of sets [R, V], and the one of each position [L]."""
        return cls(np.packbits(sets, axis=1, bitorder="little"), sets.shape[1], which)

    @classmethod
    def of(cls, mask: npt.NDArray[np.bool_]) -> Domain:
        """The domain that a mask [L, V] says, each position with a set of its own."""
        return cls.of_sets(mask, np.arange(len(mask)))

    @classmethod
    def everywhere(cls, allowed: npt.NDArray[np.bool_], length: int) -> Domain:
        """The same set, bool [V], at each of so many positions."""
        return cls.of_sets(allowed[None], np.zeros(length, np.int64))

    @property
    def sets(self) -> npt.NDArray[np.bool_]:
        """Bool [R, V], as a new array."""
        flags = np.unpackbits(self.packed, axis=1, count=self.vocabulary, bitorder="little")
        return flags.view(np.bool_)

    def mask(self) -> npt.NDArray[np.bool_]:
        """Bool [L, V], as a new array."""
        allowed = self.sets[np.maximum(self.which, 0)] if len(self.packed) else self._nothing()
        allowed[self.which == ANYTHING] = True
        return allowed

    def allows(
        self, positions: npt.NDArray[np.int64], tokens: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Whether each position may take the token beside it: bool, as long as both."""
        which = self.which[positions]
        inside = np.ones(len(which), np.bool_)
        named = which != ANYTHING
        inside[named] = self.packed[which[named], tokens[named] // 8] >> tokens[named] % 8 & 1
        return inside

    def _nothing(self) -> npt.NDArray[np.bool_]:
        return np.zeros((len(self.which), self.vocabulary), np.bool_)
