"""Where training problems come from: a protocol that each solver's data implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engine.relations import Relations


@dataclass(frozen=True, eq=False)
class Problems:
    """Labelled canvases of one layout.

    Attributes:
        labels: int64 [N, L], the answer at every position.
        clamped: bool [N, L], the positions whose token is given.
        domain: bool [N, L, V]; at a clamped position only its label.
    """

    labels: Tensor
    clamped: Tensor
    domain: Tensor

    @classmethod
    def clamping(cls, labels: Tensor, clamped: Tensor, free_domain: Tensor) -> Problems:
        """Build the domain: ``free_domain`` [V] or [N, L, V] where free, else the label."""
        vocabulary = free_domain.shape[-1]
        certain = torch.nn.functional.one_hot(labels, vocabulary).bool()
        free = free_domain.expand(*labels.shape, vocabulary)
        return cls(labels, clamped, torch.where(clamped[..., None], certain, free))

    def to(self, device: torch.device) -> Problems:
        """The same problems on ``device``."""
        return Problems(self.labels.to(device), self.clamped.to(device), self.domain.to(device))


class TrainingSource(Protocol):
    """An endless supply of problems that share one layout."""

    @property
    def relations(self) -> Relations:
        """The relations of every canvas of this source."""

    def draw(self, count: int, rng: np.random.Generator) -> Problems:
        """``count`` fresh problems, drawn with ``rng`` alone."""


@dataclass(frozen=True)
class Lane:
    """A source with its share of the updates and the number of canvases it keeps alive."""

    source: TrainingSource
    share: float
    canvases: int
    compiled: bool = False
