"""The network of the graph checkpoints: heads along edges, and heads for everything."""

from __future__ import annotations

from engine.config import LayerConfig, ModelConfig, RelationConfig
from engine.relations import Relations
from solvers.graph.graph import MAX_VERTICES, Adjacency

_HEADS = ("edge",) * 6 + ("all",) * 2


def edge_relations(adjacency: Adjacency) -> Relations:
    """A vertex sees its neighbours; it is a cell of the canvas, bool [n, n] the relation."""
    return Relations(len(adjacency), {"edge": adjacency})


def graph_config(
    task: str, vocabulary: int, *, width: int = 96, depth: int = 4, head_dim: int = 16
) -> ModelConfig:
    """A network for graphs of up to 512 vertices.

    Args:
        task: what the checkpoint is for.
        vocabulary: V.
        width: hidden size.
        depth: layers.
        head_dim: size of each of eight heads.
    """
    layers = tuple(
        LayerConfig(
            layer_type="full_attention" if i == depth - 1 else "sliding_attention",
            head_dim=head_dim,
            num_key_value_heads=len(_HEADS),
        )
        for i in range(depth)
    )
    return ModelConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=width * 4 // 3,
        moe_intermediate_size=width * 4 // 3,
        num_attention_heads=len(_HEADS),
        num_experts=1,
        top_k_experts=1,
        layers=layers,
        sliding_window=MAX_VERTICES,
        canvas_length=MAX_VERTICES,
        initializer_range=width**-0.5,
        eos_token_id=(),
        bos_token_id=None,
        relations=RelationConfig(
            names=("edge",),
            heads={"sliding_attention": _HEADS, "full_attention": _HEADS},
        ),
        positions="none",
        first_belief="uniform",
        task=task,
    )
