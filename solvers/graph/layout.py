"""Where the vertices of a graph go in a picture of it."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import numpy as np
import numpy.typing as npt

from solvers.graph.graph import Graph

#: float64 [n, 2].
Positions = npt.NDArray[np.float64]

#: So many vertices networkx lays out with springs only where SciPy is there.
_TOO_MANY_SPRINGS = 500
_FORCE_ATLAS_STEPS = 60
#: Distance of the closest vertices, and of the typical ones; in radii of a vertex.
_CLOSEST = 2.9
_TYPICAL = 4.4
#: Between components, in radii.
_GAP = 1.8
#: How often vertices that are too close are moved apart, and by how much of what is missing.
_PUSHES = 60
_PUSH = 0.35
#: An edge that passes a vertex this closely, in radii, seems to end there.
_TOUCHING = 1.4


def spring_layout(graph: Graph) -> Positions:
    """Edges as springs: neighbours come to lie together. Same graph, same layout.

    Components are laid out on their own, the larger ones above.

    Returns:
        Coordinates in radii of a vertex.
    """
    drawn = nx.Graph()
    drawn.add_nodes_from(range(graph.vertices))
    drawn.add_edges_from(graph.edges)
    components = sorted((sorted(part) for part in nx.connected_components(drawn)), key=len)[::-1]
    blocks = _packed([_component(drawn.subgraph(part)) for part in components])
    positions = np.empty((graph.vertices, 2))
    for part, block in zip(components, blocks, strict=True):
        positions[part] = block
    return positions


def circular_layout(order: Sequence[int]) -> Positions:
    """All vertices on a circle, the first at the top, clockwise.

    Args:
        order: every vertex once.

    Returns:
        Coordinates in radii of a vertex.
    """
    angles = np.empty(len(order))
    angles[list(order)] = np.arange(len(order)) * (2 * np.pi / len(order))
    radius = max(_TYPICAL, _CLOSEST * 1.1 * len(order) / (2 * np.pi))
    return radius * np.stack([np.sin(angles), -np.cos(angles)], axis=1)


def _component(drawn: nx.Graph) -> Positions:
    """The least tangled of several layouts; float64 [vertices, 2], vertices ascending."""
    vertices = sorted(drawn)
    if len(vertices) == 1:
        return np.zeros((1, 2))
    edges = np.searchsorted(vertices, np.array(drawn.edges))
    sparse = len(edges) <= 4 * len(vertices)
    tries = range(max(1, min(8, 400 // len(vertices))) if sparse else 1)
    layouts = [_apart(_spread(_sprung(drawn, vertices, seed))) for seed in tries]
    if len(layouts) == 1:
        return layouts[0]
    return min(layouts, key=lambda layout: _tangle(layout, edges))


def _sprung(drawn: nx.Graph, vertices: list[int], seed: int) -> Positions:
    if len(vertices) < _TOO_MANY_SPRINGS:
        at = nx.spring_layout(drawn, seed=seed)
    else:
        at = nx.forceatlas2_layout(drawn, seed=seed, max_iter=_FORCE_ATLAS_STEPS)
    return np.array([at[vertex] for vertex in vertices], np.float64)


def _spread(positions: Positions) -> Positions:
    """Turn the longest direction level, draw in what lies far out, give every vertex its room."""
    centred = positions - positions.mean(axis=0)
    turned = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    distance = np.maximum(np.hypot(*turned.T), 1e-9)
    usual = float(np.quantile(distance, 0.85))
    beyond = np.maximum(1.0, distance / usual)
    turned *= ((1 + 0.5 * np.log(beyond)) / beyond)[:, None]
    width, height = np.ptp(turned, axis=0)
    room = np.sqrt(max(width * height, 0.35 * width * width) / len(positions))
    spread: Positions = turned * (_TYPICAL / room)
    return spread


def _apart(positions: Positions) -> Positions:
    """Push vertices away from each other that would touch."""
    for _ in range(_PUSHES):
        x, y = positions.T
        across, down = x[:, None] - x, y[:, None] - y
        a, b = np.nonzero(across * across + down * down < _CLOSEST**2)
        a, b = a[a != b], b[a != b]
        if not len(a):
            break
        away = positions[a] - positions[b]
        distance = np.maximum(np.hypot(*away.T), 1e-6)
        push = away * (_PUSH * (_CLOSEST / distance - 1))[:, None]
        moves = [np.bincount(a, push[:, axis], len(positions)) for axis in (0, 1)]
        positions = positions + np.stack(moves, axis=1)
    return positions


def _tangle(positions: Positions, edges: npt.NDArray[np.int64]) -> int:
    """Edges that cross, and twice those that run into a vertex of others."""
    start, end = positions[edges[:, 0]], positions[edges[:, 1]]
    along = end - start
    to = positions[None] - start[:, None]
    share = np.clip((to * along[:, None]).sum(2) / (along * along).sum(1)[:, None], 0, 1)
    miss = np.hypot(*np.moveaxis(to - share[..., None] * along[:, None], 2, 0))
    side = np.sign(along[:, None, 0] * to[..., 1] - along[:, None, 1] * to[..., 0])
    apart = side[:, edges[:, 0]] * side[:, edges[:, 1]] < 0
    own = 2 * len(edges)
    return int((apart & apart.T).sum() // 2 + 2 * ((miss < _TOUCHING).sum() - own))


def _packed(blocks: list[Positions]) -> list[Positions]:
    """Put blocks next to each other in rows, each row centred."""
    margin = _GAP / 2 + 1
    sizes = [np.ptp(block, axis=0) + 2 * margin for block in blocks]
    widest = max(sizes[0][0], np.sqrt(sum(float(size.prod()) for size in sizes)))
    rows: list[list[int]] = []
    room = 0.0
    for index, size in enumerate(sizes):
        if size[0] > room + 1e-9:
            rows.append([])
            room = widest
        rows[-1].append(index)
        room -= size[0]
    placed = list(blocks)
    top = 0.0
    for row in rows:
        left = -sum(sizes[index][0] for index in row) / 2
        for index in row:
            corner = np.array([left, top]) + margin
            placed[index] = blocks[index] - blocks[index].min(axis=0) + corner
            left += sizes[index][0]
        top += max(sizes[index][1] for index in row)
    return placed
