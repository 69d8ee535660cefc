"""What a network computes, as frozen dataclasses that refuse what this engine cannot run.

Knows nothing of tensors, nor of how a file spells it: see ``engine.config_json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

LayerType = Literal["sliding_attention", "full_attention"]
RopeType = Literal["default", "proportional"]
Positions = Literal["rotary", "none"]
FirstBelief = Literal["zero", "uniform"]

#: The head relation that allows everything.
EVERYTHING = "all"

#: The sizes that every text config names, integers of at least 1.
TEXT_SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "moe_intermediate_size",
    "num_attention_heads",
    "num_experts",
    "top_k_experts",
    "sliding_window",
)


class ConfigError(ValueError):
    """A config that this engine cannot run; the message names the key."""


@dataclass(frozen=True, kw_only=True)
class RopeConfig:
    """Rotary embedding of one layer type.

    ``default`` rotates the whole head; ``proportional`` rotates ``partial_rotary_factor`` of it
    with frequencies spaced as if the whole head turned, and leaves the rest alone.
    """

    rope_type: RopeType
    rope_theta: float
    partial_rotary_factor: float = 1.0

    def __post_init__(self) -> None:
        if self.rope_theta <= 0:
            raise ConfigError(f"rope_theta: got {self.rope_theta}, accepted: above 0")
        share = self.partial_rotary_factor
        if not 0 <= share <= 1:
            raise ConfigError(f"partial_rotary_factor: got {share}, accepted: 0 to 1")
        if self.rope_type == "default" and share != 1:
            raise ConfigError(
                f"partial_rotary_factor: got {share}, but rope_type 'default' rotates the whole "
                "head; use 'proportional'"
            )


#: The architecture's rotary embedding of each layer type, where a checkpoint names none.
DEFAULT_ROPE: Mapping[LayerType, RopeConfig] = {
    "sliding_attention": RopeConfig(rope_type="default", rope_theta=10_000.0),
    "full_attention": RopeConfig(
        rope_type="proportional", rope_theta=1_000_000.0, partial_rotary_factor=0.25
    ),
}


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """The sizes of attention that differ between sliding and full-attention layers."""

    layer_type: LayerType
    head_dim: int
    num_key_value_heads: int

    @property
    def is_sliding(self) -> bool:
        """Whether the layer sees a window of the prompt and has a value projection of its own."""
        return self.layer_type == "sliding_attention"


@dataclass(frozen=True, kw_only=True)
class RelationConfig:
    """Which relation each attention head sees.

    ``heads`` maps a layer type to one relation name a head; ``"all"`` sees every position.
    A head with a relation attends only where the relation, the diagonal or the prompt allows.
    """

    names: tuple[str, ...] = ()
    heads: Mapping[LayerType, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that decides what the network computes.

    Field names are those of ``DiffusionGemmaTextConfig`` in Hugging Face transformers, plus
    ``canvas_length`` from the outer config and Inkfill's own ``relations``, ``positions``,
    ``first_belief`` and ``task``.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    moe_intermediate_size: int
    num_attention_heads: int
    num_experts: int
    top_k_experts: int
    layers: tuple[LayerConfig, ...]
    sliding_window: int
    rope: Mapping[LayerType, RopeConfig] = field(default_factory=lambda: dict(DEFAULT_ROPE))
    canvas_length: int = 256
    rms_norm_eps: float = 1e-6
    final_logit_softcapping: float = 30.0
    initializer_range: float = 0.02
    max_position_embeddings: int = 131_072
    pad_token_id: int | None = 0
    eos_token_id: tuple[int, ...] = (1,)
    bos_token_id: int | None = 2
    relations: RelationConfig = field(default_factory=RelationConfig)
    positions: Positions = "rotary"
    first_belief: FirstBelief = "zero"
    task: str = "text"

    def __post_init__(self) -> None:
        for name in (*TEXT_SIZES, "canvas_length"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name}: got {value!r}, expected an integer of at least 1")
        if self.top_k_experts > self.num_experts:
            raise ConfigError(
                f"top_k_experts: {self.top_k_experts} is not in 1..num_experts ({self.num_experts})"
            )
        self._check_layers()
        self._check_relations()

    def _check_layers(self) -> None:
        if not self.layers:
            raise ConfigError("num_hidden_layers: expected at least 1 layer")
        if self.layers[-1].layer_type != "full_attention":
            raise ConfigError("layer_types: the last layer must be 'full_attention'")
        first = {layer.layer_type: layer for layer in reversed(self.layers)}
        for i, layer in enumerate(self.layers):
            if layer != first[layer.layer_type]:
                raise ConfigError(
                    f"layer {i}: {layer} differs from the first of its type, "
                    f"{first[layer.layer_type]}; sizes may vary between layer types only"
                )
        for kind, layer in first.items():
            if not isinstance(layer.head_dim, int) or layer.head_dim < 2 or layer.head_dim % 2:
                raise ConfigError(
                    f"head_dim of {kind}: got {layer.head_dim!r}, expected an even number, because "
                    "rotary embedding turns pairs"
                )
            kv_heads = layer.num_key_value_heads
            if not isinstance(kv_heads, int) or kv_heads < 1 or self.num_attention_heads % kv_heads:
                raise ConfigError(
                    f"num_key_value_heads of {kind}: {kv_heads!r} does not divide "
                    f"num_attention_heads {self.num_attention_heads}"
                )
            if self.positions == "rotary" and kind not in self.rope:
                raise ConfigError(f"rope_parameters.{kind}: missing")

    def _check_relations(self) -> None:
        known = {EVERYTHING, *self.relations.names}
        for layer_type, heads in self.relations.heads.items():
            if len(heads) != self.num_attention_heads:
                raise ConfigError(
                    f"relations.heads.{layer_type}: {len(heads)} entries for "
                    f"{self.num_attention_heads} heads"
                )
            if unknown := set(heads) - known:
                raise ConfigError(f"relations.heads.{layer_type}: unknown {sorted(unknown)}")

    @cached_property
    def num_hidden_layers(self) -> int:
        """Depth of the network."""
        return len(self.layers)

    @cached_property
    def layer_types(self) -> tuple[LayerType, ...]:
        """The layer types that occur, sliding first."""
        return tuple(t for t in get_args(LayerType) if any(x.layer_type == t for x in self.layers))

    def head_relations(self, layer_type: LayerType) -> tuple[str, ...]:
        """The relation of each head in layers of ``layer_type``; all ``"all"`` if none is named."""
        return self.relations.heads.get(layer_type, (EVERYTHING,) * self.num_attention_heads)
