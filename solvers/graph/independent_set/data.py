"""Training data: random graphs, labelled by a large independent set near the draft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.relation_batch import RelationBatch
from engine.training.source import Problems
from solvers.graph.graph import Adjacency
from solvers.graph.independent_set.local_search import enlarge

if TYPE_CHECKING:
    from engine.relations import Relations

_Labels = npt.NDArray[np.int64]

#: Share of the problems in which some vertices are included or excluded from the start.
_CONDITIONED = 0.25
#: Steps of the search that finds the size to reach, and of the one that labels a draft.
_STEPS, _NEAR_STEPS = 1500, 300


@dataclass(frozen=True)
class Kind:
    """Graphs whose edges are drawn independently.

    Attributes:
        share: of the problems.
        degree: mean degree, from and to; None for ``density``.
        density: chance of an edge, from and to.
    """

    share: float
    degree: tuple[float, float] | None = None
    density: tuple[float, float] = (0.0, 0.0)


MIXTURE = (
    Kind(0.5, degree=(2.0, 8.0)),
    Kind(0.35, density=(0.1, 0.5)),
    Kind(0.15, density=(0.5, 0.95)),
)


@dataclass(frozen=True)
class IndependentSetSource:
    """Random graphs of mixed density.

    Attributes:
        vertices: n, from and to; the canvas has as many positions as the latter.
        mixture: kinds of graphs.
    """

    vertices: tuple[int, int]
    mixture: tuple[Kind, ...] = MIXTURE

    @property
    def relations(self) -> Relations | None:
        """Each graph has its own."""
        return None

    def draw(self, count: int, rng: np.random.Generator) -> Problems:
        """See ``TrainingSource.draw``."""
        vertices = rng.integers(self.vertices[0], self.vertices[1] + 1, count)
        length = self.vertices[1]
        edges = np.zeros((count, length, length), np.bool_)
        labels = np.zeros((count, length), np.int64)
        for row, n in enumerate(vertices.tolist()):
            edges[row, :n, :n] = graph = self._graph(n, rng)
            labels[row, list(enlarge(graph, (), n, row, _STEPS, np.inf))] = 1
        at = np.arange(length)
        present = at < vertices[:, None]
        given = (rng.random(count) < _CONDITIONED) * rng.uniform(0, 0.4, count)
        clamped = rng.random((count, length)) < given.reshape(-1, 1)
        return Problems.clamping(
            torch.from_numpy(labels),
            torch.from_numpy(clamped | ~present),
            torch.ones(2, dtype=torch.bool),
            RelationBatch(
                {"edge": torch.from_numpy(edges | np.eye(length, dtype=np.bool_))},
                torch.from_numpy(present),
            ),
        )

    def labels_for(self, problems: Problems, draft: Tensor) -> Tensor:
        """A set as large as the one known, found near the draft, else the label it had."""
        assert problems.relations is not None
        edges = problems.relations.masks["edge"].cpu().numpy()
        clamped, drafts = problems.clamped.cpu().numpy(), draft.cpu().numpy()
        labels = problems.labels.cpu().numpy().copy()
        for row in range(len(labels)):
            graph = edges[row] & ~np.eye(len(edges[row]), dtype=np.bool_)
            _relabel(graph, clamped[row], drafts[row], labels[row], seed=int(drafts[row].sum()))
        return torch.from_numpy(labels).to(draft.device)

    def _graph(self, n: int, rng: np.random.Generator) -> Adjacency:
        shares = np.array([kind.share for kind in self.mixture])
        kind = self.mixture[rng.choice(len(shares), p=shares / shares.sum())]
        chance = rng.uniform(*kind.density)
        if kind.degree is not None:
            chance = rng.uniform(*kind.degree) / max(1, n - 1)
        upper = np.triu(rng.random((n, n)) < chance, 1)
        return upper | upper.T


def _relabel(
    graph: Adjacency, clamped: npt.NDArray[np.bool_], draft: _Labels, label: _Labels, seed: int
) -> None:
    """Overwrite a label [n] with a set as large that is nearer to the draft, if one is found."""
    chosen = clamped & (label == 1)
    open_ = np.flatnonzero(~clamped & ~graph[chosen].any(axis=0))
    target = int(label.sum() - chosen.sum())
    start = np.flatnonzero(draft[open_]).tolist()
    found = enlarge(graph[np.ix_(open_, open_)], start, target, seed, _NEAR_STEPS, np.inf)
    if len(found) >= target:
        label[~clamped] = 0
        label[open_[list(found)]] = 1
