"""Random graphs with a hidden Hamiltonian cycle, and further cycles of theirs; for training.

Compiled by numba; n vertices, B graphs, L the most vertices, K the most cycles of a graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

#: Steps of the search for further cycles of a graph.
_STEPS = 6000


@dataclass(frozen=True, eq=False)
class PlantedTours:
    """Graphs of up to L vertices, with some of their Hamiltonian cycles.

    Attributes:
        vertices: int64 [B], n of each; what comes after is padding, without edges.
        adjacency: bool [B, L, L].
        places: int64 [B, K, L], the place of each vertex on a cycle, which begins at vertex 0; 0 in
            the padding. Each cycle is there in both directions; the first one fills what is left.
    """

    vertices: npt.NDArray[np.int64]
    adjacency: npt.NDArray[np.bool_]
    places: npt.NDArray[np.int64]


def plant(
    vertices: npt.NDArray[np.int64],
    degree: npt.NDArray[np.float64],
    length: int,
    cycles: int,
    rng: np.random.Generator,
) -> PlantedTours:
    """Draw graphs.

    Args:
        vertices: int64 [B], 3 to ``length`` each.
        degree: float64 [B], the mean degree, from 2; less where no more edges fit.
        length: L.
        cycles: K, at least 2.
        rng: what they are drawn with.
    """
    count = len(vertices)
    batch = PlantedTours(
        vertices,
        np.zeros((count, length, length), np.bool_),
        np.zeros((count, cycles, length), np.int64),
    )
    extra = (vertices * (degree - 2) / 2).astype(np.int64)
    _plant(vertices, extra, batch.adjacency, batch.places, rng)
    return batch


@njit(cache=True, nogil=True)
def _plant(vertices, extra, adjacency, places, rng):
    for b in range(len(vertices)):
        n = vertices[b]
        order = np.zeros(n, np.int64)
        order[1:] = rng.permutation(n - 1) + 1
        edges = adjacency[b, :n, :n]
        for i in range(n):
            edges[order[i], order[i - 1]] = edges[order[i - 1], order[i]] = True
        _add_edges(edges, extra[b], rng)
        found = _keep(order, places[b], 0)
        found = _find_others(edges, places[b], found, rng)
        for k in range(found, len(places[b])):
            places[b, k] = places[b, 0]


@njit(cache=True, nogil=True)
def _add_edges(edges, extra, rng):
    n = len(edges)
    for _ in range(100 * extra):
        if extra == 0:
            return
        u, v = rng.integers(0, n), rng.integers(0, n)
        if u != v and not edges[u, v]:
            edges[u, v] = edges[v, u] = True
            extra -= 1


@njit(cache=True, nogil=True)
def _keep(order, places, found):
    """Note a cycle in both directions unless it is there; how many there are then."""
    n = len(order)
    forward, backward = np.zeros(places.shape[1], np.int64), np.zeros(places.shape[1], np.int64)
    for i in range(n):
        forward[order[i]] = i
        backward[order[i]] = (n - i) % n
    for k in range(found):
        if np.all(places[k] == forward):
            return found
    places[found], places[found + 1] = forward, backward
    return found + 2


@njit(cache=True, nogil=True)
def _find_others(edges, places, found, rng):
    """Walk in depth, neighbours in random order, for a number of steps."""
    n = len(edges)
    path, at = np.zeros(n, np.int64), np.zeros(n, np.int64)
    others = [rng.permutation(np.flatnonzero(edges[v])) for v in range(n)]
    used = np.zeros(n, np.bool_)
    used[0] = True
    depth = 0
    for _ in range(_STEPS):
        if found + 2 > len(places):
            break
        v = path[depth]
        if at[depth] == len(others[v]):
            if depth == 0:
                break
            used[v] = False
            depth -= 1
            continue
        u = others[v][at[depth]]
        at[depth] += 1
        if used[u]:
            continue
        depth += 1
        path[depth], at[depth], used[u] = u, 0, True
        if depth == n - 1 and edges[u, 0]:
            found = _keep(path, places, found)
    return found
