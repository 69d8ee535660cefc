"""What the rules along the edges of a graph share: matrices of graphs of different sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

#: bool [n, n], symmetric, False on the diagonal.
Adjacency = npt.NDArray[np.bool_]


def stack_edges(matrices: Sequence[Adjacency], length: int, device: torch.device) -> Tensor:
    """Graphs of at most ``length`` vertices as bool [B, L, L]; padding has no edges."""
    stacked = np.zeros((len(matrices), length, length), np.bool_)
    for row, matrix in zip(stacked, matrices, strict=True):
        row[: len(matrix), : len(matrix)] = matrix
    return torch.from_numpy(stacked).to(device)


def exclude(belief: Tensor, edges: Tensor) -> Tensor:
    """How far neighbours leave a token free: float32 [B, L, V].

    The geometric mean of the chances that each does not take it. Their product, the chance that
    none does, would silence neighbours that silence each other.

    Args:
        belief: float32 [B, L, V].
        edges: float32 [B, L, L].
    """
    left = (edges @ (1 - belief).clamp_min(1e-6).log()) / edges.sum(-1, keepdim=True).clamp_min(1)
    return left.exp()


def normalise(weights: Tensor, otherwise: Tensor) -> Tensor:
    """Weights [B, L, V] as a belief; a position whose weights vanish keeps another's."""
    total = weights.sum(dim=-1, keepdim=True)
    return torch.where(total > 1e-20, weights / total.clamp_min(1e-20), otherwise)


def consistent(possible: Tensor) -> Tensor:
    """``possible`` [..., L, V] where every position has a token, no token at all elsewhere."""
    return possible & possible.any(dim=-1).all(dim=-1)[..., None, None]
