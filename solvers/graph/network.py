"""The network of the graph checkpoints: heads along edges, and heads for everything."""

from __future__ import annotations

from engine.config import ModelConfig
from engine.relations import Relations
from solvers.graph.graph import MAX_VERTICES, Adjacency
from solvers.network import small_config

_HEADS = ("edge",) * 6 + ("all",) * 2


def edge_relations(adjacency: Adjacency) -> Relations:
    """A vertex sees its neighbours; it is a cell of the canvas, bool [n, n] the relation."""
    return Relations(len(adjacency), {"edge": adjacency})


def graph_config(
    task: str, vocabulary: int, *, width: int = 96, depth: int = 4, head_dim: int = 16
) -> ModelConfig:
    """A network for graphs of up to 512 vertices; see ``small_config``."""
    return small_config(
        task,
        vocabulary,
        _HEADS,
        MAX_VERTICES,
        width=width,
        depth=depth,
        head_dim=head_dim,
        inner=width * 4 // 3,
    )
