"""Training data: planted cycles, labelled by the known one that is nearest to the draft."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from engine.constraints.tour import TourBatch
from engine.relation_batch import RelationBatch
from engine.training.source import Problems
from solvers.graph.hamiltonian.planted import plant

if TYPE_CHECKING:
    from engine.relations import Relations

#: Cycles of a graph that are known, each counted in both directions.
_CYCLES = 32
#: Share of the problems in which more places than the start are given.
_CLAMPED = 0.25


@dataclass(frozen=True)
class TourSource:
    """Planted cycles that begin at vertex 0.

    Attributes:
        vertices: n, from and to; the canvas has as many positions as the latter.
        vocabulary: V of the model; token t is the t-th place.
        degree: mean degree, from and to.
    """

    vertices: tuple[int, int]
    vocabulary: int
    degree: tuple[float, float] = (2.6, 4.5)

    @property
    def relations(self) -> Relations | None:
        """Each graph has its own."""
        return None

    def draw(self, count: int, rng: np.random.Generator) -> Problems:
        """See ``TrainingSource.draw``. Vertex 0 is clamped to place 0."""
        vertices = rng.integers(self.vertices[0], self.vertices[1] + 1, count)
        graphs = plant(vertices, rng.uniform(*self.degree, count), self.vertices[1], _CYCLES, rng)
        length, answers = self.vertices[1], torch.from_numpy(graphs.places)
        present = np.arange(length) < vertices[:, None]
        share = (rng.random(count) < _CLAMPED) * rng.uniform(0, 0.4, count)
        clamped = rng.random((count, length)) < share.reshape(-1, 1)
        clamped[:, 0] = True
        labels = answers[:, 0]
        given = torch.from_numpy(clamped & present)
        kept = (~given[:, None] | (answers == labels[:, None])).all(dim=-1, keepdim=True)
        problems = Problems.clamping(
            labels.clone(),
            torch.from_numpy(clamped | ~present),
            torch.from_numpy(np.arange(self.vocabulary) < vertices[:, None, None]),
            RelationBatch(
                {"edge": torch.from_numpy(graphs.adjacency | np.eye(length, dtype=np.bool_))},
                torch.from_numpy(present),
            ),
        )
        return replace(problems, answers=torch.where(kept, answers, labels[:, None]))

    def labels_for(self, problems: Problems, draft: Tensor) -> Tensor:
        """The draft where it is a cycle, else the known one that agrees with it in most places."""
        assert problems.answers is not None
        agreement = (problems.answers == draft[:, None]).sum(dim=-1)
        rows = torch.arange(len(draft), device=draft.device)
        nearest = problems.answers[rows, agreement.argmax(dim=-1)]
        return torch.where((_rule(problems).violations(draft) == 0)[:, None], draft, nearest)


def _rule(problems: Problems) -> TourBatch:
    """What makes drafts cycles of these graphs."""
    assert problems.relations is not None
    assert problems.relations.present is not None
    edges = problems.relations.masks["edge"]
    itself = torch.eye(edges.shape[-1], dtype=torch.bool, device=edges.device)
    sizes = problems.relations.present.sum(dim=-1)
    return TourBatch(edges & ~itself, sizes, torch.ones_like(sizes, dtype=torch.bool))
