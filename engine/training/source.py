"""Where training problems come from: a protocol that each solver's data implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engine.relation_batch import RelationBatch
from engine.relations import Relations


@dataclass(frozen=True, eq=False)
class Problems:
    """Labelled canvases of one length.

    Attributes:
        labels: int64 [N, L], an answer at every position.
        clamped: bool [N, L], the positions whose token is given; padding counts as clamped.
        domain: bool [N, L, V]; at a clamped position only its label.
        relations: of each canvas; None where all share those of their source.
        answers: int64 [N, K, L], K known answers of each; None where only the label is known.
    """

    labels: Tensor
    clamped: Tensor
    domain: Tensor
    relations: RelationBatch | None = None
    answers: Tensor | None = None

    @classmethod
    def clamping(
        cls,
        labels: Tensor,
        clamped: Tensor,
        free_domain: Tensor,
        relations: RelationBatch | None = None,
    ) -> Problems:
        """Build the domain: ``free_domain`` [V] or [N, L, V] where free, else the label."""
        vocabulary = free_domain.shape[-1]
        certain = torch.nn.functional.one_hot(labels, vocabulary).bool()
        free = free_domain.expand(*labels.shape, vocabulary)
        return cls(labels, clamped, torch.where(clamped[..., None], certain, free), relations)

    def to(self, device: torch.device) -> Problems:
        """The same problems on ``device``."""
        return Problems(
            self.labels.to(device),
            self.clamped.to(device),
            self.domain.to(device),
            self.relations and self.relations.map(lambda x: x.to(device)),
            None if self.answers is None else self.answers.to(device),
        )

    def overwrite(self, where: Tensor, fresh: Problems) -> None:
        """Put other problems into the rows at these indices, int64 [N']."""
        for old, new in zip(self._tensors(), fresh._tensors(), strict=True):
            old[where] = new

    def _tensors(self) -> list[Tensor]:
        tensors = [self.labels, self.clamped, self.domain]
        if self.relations is not None:
            tensors += self.relations.masks.values()
            tensors += [] if self.relations.present is None else [self.relations.present]
        return tensors if self.answers is None else [*tensors, self.answers]


class TrainingSource(Protocol):
    """An endless supply of problems of one length."""

    @property
    def relations(self) -> Relations | None:
        """The relations of every canvas of this source; None where each has its own."""

    def draw(self, count: int, rng: np.random.Generator) -> Problems:
        """``count`` fresh problems, drawn with ``rng`` alone."""

    def labels_for(self, problems: Problems, draft: Tensor) -> Tensor:
        """What canvases with this draft should become: an answer at every position.

        Where a problem has one answer it is that. Where it has many, the one that is nearest
        teaches most: the model is not torn between answers that differ by a symmetry.

        Args:
            problems: N of them.
            draft: int64 [N, L]; clamps hold their token.

        Returns:
            int64 [N, L]; the draft itself where it is an answer.
        """


@dataclass(frozen=True)
class Lane:
    """A source with its share of the updates and the number of canvases it keeps alive."""

    source: TrainingSource
    share: float
    canvases: int
    compiled: bool = False
