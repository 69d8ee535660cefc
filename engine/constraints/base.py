"""What a rule that couples positions can do.

Some rules belong to a layout, and every canvas laid out that way shares one object. Others each
canvas has for itself, such as the edges of its graph; canvases of one family are denoised in one
batch all the same, under a rule made of theirs. Shapes: B canvases, L positions, V tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import torch
from torch import Tensor


class Constraint(Protocol):
    """A coupling rule."""

    @property
    def family(self) -> object:
        """What canvases must have in common to be batched: equal for rules that can be stacked.

        Hashable.
        """

    def stack(self, others: Sequence[Self], length: int, device: torch.device) -> BatchConstraint:
        """The rule of a batch: this canvas's first, then the others' in order.

        Args:
            others: of the same family.
            length: L, to which shorter canvases are padded.
            device: where the batch is.
        """


class BatchConstraint(Protocol):
    """A coupling rule at work on a batch of canvases."""

    def keep(self, rows: Tensor) -> BatchConstraint:
        """The rule of the canvases at these indices, int64 [B']."""

    def violations(self, tokens: Tensor) -> Tensor:
        """How many places of each canvas break the rule: int64 [B, L] -> int64 [B]."""

    def prune(self, domain: Tensor) -> Tensor:
        """Drop tokens that no solution can have: bool [..., B, L, V] -> the same shape.

        Sound: a token that some completion of the domain allows is never dropped. A canvas that
        is found to have no completion is left without any token.
        """

    def project(self, belief: Tensor) -> Tensor:
        """Move the belief towards the rule: float32 [B, L, V] -> the same, rows summing to 1."""
