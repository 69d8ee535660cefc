"""Random graphs with a hidden colouring, for training and for benchmarks.

Vertices are split into colour classes of equal size and edges drawn between classes until the
graph has the mean degree asked for. Compiled by numba; n vertices, k colours, B graphs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

#: Cliques grown at random, of which the largest is taken.
_CLIQUE_TRIES = 30


@dataclass(frozen=True, eq=False)
class PlantedBatch:
    """Graphs of up to L vertices, each with a colouring.

    Attributes:
        vertices: int64 [B], n of each; what comes after is padding, without edges.
        colors: int64 [B], k of each.
        adjacency: bool [B, L, L].
        coloring: int64 [B, L], no edge joins two of one colour; 0 in the padding.
        clique: bool [B, L], a large clique, whose colours are 0, 1, 2 in ascending order.
    """

    vertices: npt.NDArray[np.int64]
    colors: npt.NDArray[np.int64]
    adjacency: npt.NDArray[np.bool_]
    coloring: npt.NDArray[np.int64]
    clique: npt.NDArray[np.bool_]


def plant(
    vertices: npt.NDArray[np.int64],
    colors: npt.NDArray[np.int64],
    degree: npt.NDArray[np.float64],
    length: int,
    rng: np.random.Generator,
) -> PlantedBatch:
    """Draw graphs.

    Args:
        vertices: int64 [B], at most ``length`` each.
        colors: int64 [B].
        degree: float64 [B], the mean degree; less where no more edges fit.
        length: L.
        rng: what they are drawn with.
    """
    count = len(vertices)
    batch = PlantedBatch(
        vertices,
        colors,
        np.zeros((count, length, length), np.bool_),
        np.zeros((count, length), np.int64),
        np.zeros((count, length), np.bool_),
    )
    edges = (vertices * degree / 2).astype(np.int64)
    _plant(vertices, colors, edges, batch.adjacency, batch.coloring, batch.clique, rng)
    return batch


@njit(cache=True, nogil=True)
def _plant(vertices, colors, edges, adjacency, coloring, clique, rng):
    for b in range(len(vertices)):
        n, k = vertices[b], colors[b]
        order = rng.permutation(n)
        for i in range(n):
            coloring[b, order[i]] = i % k
        _draw_edges(adjacency[b, :n, :n], coloring[b], edges[b], rng)
        members = _grow_clique(adjacency[b, :n, :n], rng)
        clique[b][members] = True
        _name_colors(coloring[b, :n], np.sort(members), k, rng)


@njit(cache=True, nogil=True)
def _draw_edges(adjacency, coloring, edges, rng):
    """Pairs at random; those of one colour, or drawn before, do not count."""
    n, count = len(adjacency), 0
    for _ in range(100 * edges):
        if count == edges:
            return
        a, b = rng.integers(0, n), rng.integers(0, n)
        if coloring[a] != coloring[b] and not adjacency[a, b]:
            adjacency[a, b] = adjacency[b, a] = True
            count += 1


@njit(cache=True, nogil=True)
def _grow_clique(adjacency, rng):
    n = len(adjacency)
    best = np.zeros(0, np.int64)
    for _ in range(_CLIQUE_TRIES):
        members, size = np.zeros(n, np.int64), 0
        left = np.arange(n)
        while len(left):
            v = left[rng.integers(0, len(left))]
            members[size] = v
            size += 1
            left = left[adjacency[v][left]]
        if size > len(best):
            best = members[:size].copy()
    return best


@njit(cache=True, nogil=True)
def _name_colors(coloring, clique, k, rng):
    """Rename colours: the clique's in its order, the others at random after them."""
    name = np.full(k, -1)
    for i in range(len(clique)):
        name[coloring[clique[i]]] = i
    rest = rng.permutation(k - len(clique)) + len(clique)
    used = 0
    for c in range(k):
        if name[c] < 0:
            name[c] = rest[used]
            used += 1
    for v in range(len(coloring)):
        coloring[v] = name[coloring[v]]
