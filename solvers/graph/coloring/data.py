"""Training data: planted colourings near the density where they are hardest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.relation_batch import RelationBatch
from engine.training.source import Problems
from solvers.graph.coloring.planted import PlantedBatch, plant
from solvers.graph.coloring.tabu import repair_all

if TYPE_CHECKING:
    from engine.relations import Relations

#: Share of the problems in which some vertices outside the clique are clamped as well.
_PRECOLORED = 0.25
#: Moves of the search that labels a draft. More would lead farther from it.
_MOVES = 400


@dataclass(frozen=True)
class Kind:
    """Graphs of one number of colours.

    Attributes:
        share: of the problems.
        colors: k, from and to.
        density: mean degree, from and to, as a share of ``hard_degree``.
    """

    share: float
    colors: tuple[int, int]
    density: tuple[float, float]


#: 3-colourings most of all: near their threshold are the hardest small instances there are.
MIXTURE = (
    Kind(0.5, (3, 3), (0.78, 1.07)),
    Kind(0.12, (4, 4), (0.75, 1.02)),
    Kind(0.25, (5, 5), (0.65, 1.0)),
    Kind(0.09, (6, 10), (0.6, 1.0)),
    Kind(0.04, (11, 32), (0.6, 1.0)),
)


@dataclass(frozen=True)
class ColoringSource:
    """Planted graphs with a clamped clique, labelled by the colouring nearest to the draft.

    Attributes:
        vertices: n, from and to; the canvas has as many positions as the latter.
        vocabulary: V of the model; token c is colour c.
        mixture: kinds of graphs.
    """

    vertices: tuple[int, int]
    vocabulary: int
    mixture: tuple[Kind, ...] = MIXTURE

    @property
    def relations(self) -> Relations | None:
        """Each graph has its own."""
        return None

    def draw(self, count: int, rng: np.random.Generator) -> Problems:
        """See ``TrainingSource.draw``."""
        shares = np.array([kind.share for kind in self.mixture])
        chosen = rng.choice(len(shares), count, p=shares / shares.sum())
        vertices = rng.integers(self.vertices[0], self.vertices[1] + 1, count)
        colors = np.array(
            [rng.integers(*_inclusive(self.mixture[i].colors)) for i in chosen.tolist()]
        )
        density = np.array([rng.uniform(*self.mixture[i].density) for i in chosen.tolist()])
        degree = density * hard_degree(colors, vertices)
        graphs = plant(vertices, colors, degree, self.vertices[1], rng)
        return self._problems(graphs, rng)

    def labels_for(self, problems: Problems, draft: Tensor) -> Tensor:
        """The colouring that a short tabu search reaches from the draft, else the label it had.

        Trained on the planted colouring instead, the model is torn between all the others.
        """
        assert problems.relations is not None
        edges = problems.relations.masks["edge"].cpu().numpy()
        nearest = repair_all(
            edges & ~np.eye(edges.shape[1], dtype=np.bool_),
            problems.domain.any(dim=1).sum(dim=-1).cpu().numpy(),
            problems.clamped.cpu().numpy(),
            draft.cpu().numpy(),
            problems.labels.cpu().numpy(),
            moves=_MOVES,
            seed=int(draft.sum()),
        )
        return torch.from_numpy(nearest).to(draft.device)

    def _problems(self, graphs: PlantedBatch, rng: np.random.Generator) -> Problems:
        count, length = graphs.coloring.shape
        at = np.arange(length)
        present = at < graphs.vertices[:, None]
        precolored = (rng.random(count) < _PRECOLORED) * rng.uniform(0, 0.4, count)
        given = graphs.clique | (rng.random((count, length)) < np.reshape(precolored, (-1, 1)))
        colors = np.arange(self.vocabulary) < graphs.colors[:, None, None]
        edges = torch.from_numpy(graphs.adjacency | np.eye(length, dtype=np.bool_))
        return Problems.clamping(
            torch.from_numpy(graphs.coloring),
            torch.from_numpy(given | ~present),
            torch.from_numpy(colors),
            RelationBatch({"edge": edges}, torch.from_numpy(present)),
        )


def hard_degree(
    colors: npt.NDArray[np.int64], vertices: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The mean degree about which k-colouring is hardest: int64 [B] each -> float64 [B].

    Random graphs cease to be k-colourable near 2k ln k - ln k - 1 (Achlioptas and Naor 2005);
    small graphs of many colours cannot have so many edges, there it is most of those that fit.
    """
    log = np.log(colors)
    most = vertices - vertices / colors
    return np.minimum(2 * colors * log - log - 1, 0.9 * most)


def _inclusive(bounds: tuple[int, int]) -> tuple[int, int]:
    return bounds[0], bounds[1] + 1
