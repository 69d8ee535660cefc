"""Neighbours of vertices as lists, for the rules along edges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from torch import Tensor

from engine.kernels.cpu_masks import Rows


class NeighbourLists(NamedTuple):
    """Those of vertex v of graph b are ``others[first[b, v] : first[b, v + 1]]``.

    Attributes:
        first: int64 [B, L + 1].
        others: int64 [both ends of all edges].
    """

    first: Rows
    others: Rows

    def keep(self, rows: Rows) -> NeighbourLists:
        """Those of the graphs at these indices."""
        return NeighbourLists(self.first[rows], self.others)


def neighbour_lists(edges: Tensor) -> NeighbourLists:
    """From matrices, bool [B, L, L], on the CPU."""
    matrices = edges.numpy()
    first = np.empty((len(matrices), matrices.shape[1] + 1), np.int64)
    others = np.empty(int(matrices.sum()), np.int64)
    _list_neighbours(matrices, first, others)
    return NeighbourLists(first, others)


@njit(cache=True, nogil=True)
def _list_neighbours(matrices, first, others):
    count = 0
    for b in range(len(matrices)):
        first[b, 0] = count
        for v in range(matrices.shape[1]):
            for u in range(matrices.shape[2]):
                if matrices[b, v, u]:
                    others[count] = u
                    count += 1
            first[b, v + 1] = count
