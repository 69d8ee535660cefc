"""The network of the small checkpoints: DiffusionGemma's, with heads for relations."""

from __future__ import annotations

from collections.abc import Sequence

from engine.config import EVERYTHING, LayerConfig, ModelConfig, RelationConfig


def small_config(
    task: str,
    vocabulary: int,
    heads: Sequence[str],
    longest: int,
    *,
    width: int = 96,
    depth: int = 4,
    head_dim: int = 16,
    inner: int = 128,
) -> ModelConfig:
    """A network without positions, with one expert a layer and one key-value head a head.

    Args:
        task: what the checkpoint is for.
        vocabulary: V.
        heads: the relation of each head in every layer; ``all`` for everything.
        longest: positions of a canvas at most.
        width: hidden size.
        depth: layers.
        head_dim: size of a head.
        inner: width of the dense gated MLP, and of the expert.
    """
    layers = tuple(
        LayerConfig(
            layer_type="full_attention" if i == depth - 1 else "sliding_attention",
            head_dim=head_dim,
            num_key_value_heads=len(heads),
        )
        for i in range(depth)
    )
    names = tuple(dict.fromkeys(name for name in heads if name != EVERYTHING))
    return ModelConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        moe_intermediate_size=inner,
        num_attention_heads=len(heads),
        num_experts=1,
        top_k_experts=1,
        layers=layers,
        sliding_window=longest,
        canvas_length=longest,
        initializer_range=width**-0.5,
        eos_token_id=(),
        bos_token_id=None,
        relations=RelationConfig(
            names=names,
            heads={"sliding_attention": tuple(heads), "full_attention": tuple(heads)},
        ),
        positions="none",
        first_belief="uniform",
        task=task,
    )
