"""A checkpoint's ``config.json`` as frozen dataclasses.

Knows the names that Hugging Face gives the architecture's sizes, in both spellings of the
per-layer ones, and the few keys that Inkfill adds beside them. Knows nothing of tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

LayerType = Literal["sliding_attention", "full_attention"]
RopeType = Literal["default", "proportional"]
Positions = Literal["rotary", "none"]
FirstBelief = Literal["zero", "uniform"]
Json = dict[str, Any]

#: The head relation that allows everything.
EVERYTHING = "all"


class ConfigError(ValueError):
    """A ``config.json`` that this engine cannot run; the message names the key."""


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
    rope: Mapping[LayerType, RopeConfig] = field(default_factory=lambda: _read_rope({}))
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
        for name in (*_TEXT_SIZES, "canvas_length"):
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

    @classmethod
    def from_file(cls, path: Path) -> ModelConfig:
        """Read a ``config.json``.

        Raises:
            ConfigError: the file is missing, is not JSON, or asks for something unsupported.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{path} does not exist, and a checkpoint needs one") from None
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path} is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise ConfigError(f"{path} holds a JSON {type(data).__name__}, expected an object")
        return cls.from_json(data)

    @classmethod
    def from_json(cls, data: Json) -> ModelConfig:
        """Read the outer (``diffusion_gemma``) config as saved by transformers or by Inkfill.

        Raises:
            ConfigError: something is missing or unsupported; the message names the key.
        """
        if data.get("model_type") != "diffusion_gemma":
            raise ConfigError(
                f"model_type: got {data.get('model_type')!r}, expected 'diffusion_gemma'"
            )
        text = data.get("text_config")
        if not isinstance(text, dict):
            raise ConfigError("text_config: expected an object with the text model's sizes")
        _refuse_unsupported(data, text)
        try:
            return cls(
                **{name: text[name] for name in _TEXT_SIZES},
                **{name: text[name] for name in _TEXT_OPTIONS if text.get(name) is not None},
                layers=_read_layers(text),
                rope=_read_rope(text),
                pad_token_id=text.get("pad_token_id", 0),
                bos_token_id=text.get("bos_token_id", 2),
                eos_token_id=_as_tuple(text.get("eos_token_id", 1)),
                canvas_length=256 if data.get("canvas_length") is None else data["canvas_length"],
                relations=_read_relations(data.get("relations") or {}),
                positions=data.get("positions", "rotary"),
                first_belief=data.get("first_belief", "zero"),
                task=data.get("task", "text"),
            )
        except KeyError as error:
            raise ConfigError(f"text_config.{error.args[0]}: missing") from None

    def to_json(self) -> Json:
        """The config as transformers reads it, with Inkfill's keys beside.

        transformers builds a vision tower with every checkpoint, so a small one is described;
        the checkpoint carries no tensors for it. It also reads the image token as padding, so
        that is put outside the vocabulary.
        """
        text: Json = {name: getattr(self, name) for name in (*_TEXT_SIZES, *_TEXT_OPTIONS)}
        sliding = next((x for x in self.layers if x.is_sliding), None)
        full = next(x for x in self.layers if not x.is_sliding)
        base = sliding or full
        text |= {
            "model_type": "diffusion_gemma_text",
            "num_hidden_layers": self.num_hidden_layers,
            "layer_types": [x.layer_type for x in self.layers],
            "head_dim": base.head_dim,
            "num_key_value_heads": base.num_key_value_heads,
            "global_head_dim": full.head_dim,
            "num_global_key_value_heads": full.num_key_value_heads,
            "rope_parameters": {t: _rope_json(r) for t, r in self.rope.items()},
            "hidden_activation": "gelu_pytorch_tanh",
            "pad_token_id": self.pad_token_id,
            "bos_token_id": self.bos_token_id,
            "eos_token_id": list(self.eos_token_id),
        }
        return {
            "architectures": ["DiffusionGemmaForBlockDiffusion"],
            "model_type": "diffusion_gemma",
            "canvas_length": self.canvas_length,
            "tie_word_embeddings": True,
            "text_config": text,
            "vision_config": _NO_VISION,
            "image_token_id": self.vocab_size,
            "relations": {
                "names": list(self.relations.names),
                "heads": {t: list(h) for t, h in self.relations.heads.items()},
            },
            "positions": self.positions,
            "first_belief": self.first_belief,
            "task": self.task,
        }


_TEXT_SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "moe_intermediate_size",
    "num_attention_heads",
    "num_experts",
    "top_k_experts",
    "sliding_window",
)
_LAYER_SIZES = ("head_dim", "num_key_value_heads")
_TEXT_OPTIONS = (
    "rms_norm_eps",
    "final_logit_softcapping",
    "initializer_range",
    "max_position_embeddings",
)
_NO_VISION: Json = {
    "model_type": "gemma4_vision",
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "global_head_dim": 8,
    "position_embedding_size": 8,
}


def _refuse_unsupported(outer: Json, text: Json) -> None:
    wanted: list[tuple[str, Any, tuple[Any, ...]]] = [
        ("tie_word_embeddings", outer.get("tie_word_embeddings", True), (True,)),
        (
            "text_config.hidden_activation",
            text.get("hidden_activation", "gelu_pytorch_tanh"),
            ("gelu_pytorch_tanh",),
        ),
        ("text_config.attention_bias", text.get("attention_bias", False), (False,)),
        (
            "text_config.use_bidirectional_attention",
            text.get("use_bidirectional_attention"),
            (None, "vision"),  # "vision" is about image tokens, which this engine has none of
        ),
        ("positions", outer.get("positions", "rotary"), get_args(Positions)),
        ("first_belief", outer.get("first_belief", "zero"), get_args(FirstBelief)),
    ]
    for key, value, accepted in wanted:
        if value not in accepted:
            raise ConfigError(f"{key}: got {value!r}, accepted: {', '.join(map(repr, accepted))}")


def _read_layers(text: Json) -> tuple[LayerConfig, ...]:
    """Per-layer sizes, from ``per_layer_config`` (newer saves) or the ``global_*`` keys."""
    depth = text["num_hidden_layers"]
    if not isinstance(depth, int):
        raise ConfigError(f"text_config.num_hidden_layers: got {depth!r}, expected an integer")
    types = text.get("layer_types") or [
        "sliding_attention" if (i + 1) % 6 else "full_attention" for i in range(depth)
    ]
    if len(types) != depth:
        raise ConfigError(f"text_config.layer_types: {len(types)} entries for {depth} layers")
    base = {name: text[name] for name in _LAYER_SIZES}
    overrides = _layer_overrides(text, types)
    return tuple(
        LayerConfig(layer_type=_layer_type(i, kind), **(base | overrides.get(i, {})))
        for i, kind in enumerate(types)
    )


def _layer_overrides(text: Json, types: Sequence[str]) -> dict[int, Json]:
    """What differs from the text config's own sizes, by layer index, in either spelling."""
    if "per_layer_config" not in text:
        wide = {"head_dim": text.get("global_head_dim", 512)}
        if text.get("num_global_key_value_heads") is not None:
            wide["num_key_value_heads"] = text["num_global_key_value_heads"]
        return {i: wide for i, t in enumerate(types) if t == "full_attention"}
    overrides = {int(i): x for i, x in (text["per_layer_config"] or {}).items()}
    for i, changed in overrides.items():
        if unknown := set(changed) - set(_LAYER_SIZES):
            raise ConfigError(
                f"text_config.per_layer_config.{i}: {', '.join(sorted(unknown))} cannot vary by "
                f"layer here, accepted: {', '.join(_LAYER_SIZES)}"
            )
    return overrides


def _layer_type(index: int, value: str) -> LayerType:
    for known in get_args(LayerType):
        if value == known:
            return known  # type: ignore[no-any-return]  # get_args is untyped
    accepted = ", ".join(get_args(LayerType))
    raise ConfigError(f"text_config.layer_types[{index}]: got {value!r}, accepted: {accepted}")


_DEFAULT_ROPE: Json = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    "full_attention": {
        "rope_type": "proportional",
        "partial_rotary_factor": 0.25,
        "rope_theta": 1_000_000.0,
    },
}


def _read_rope(text: Json) -> dict[LayerType, RopeConfig]:
    parameters = text.get("rope_parameters") or _DEFAULT_ROPE
    return {t: _rope(t, parameters[t]) for t in get_args(LayerType) if parameters.get(t)}


def _rope(layer_type: LayerType, values: Json) -> RopeConfig:
    key = f"text_config.rope_parameters.{layer_type}"
    rope_type = values.get("rope_type", "default")
    if rope_type not in get_args(RopeType):
        raise ConfigError(
            f"{key}.rope_type: got {rope_type!r}, accepted: {', '.join(get_args(RopeType))}"
        )
    if values.get("factor", 1.0) != 1.0:
        raise ConfigError(f"{key}.factor: got {values['factor']}, accepted: 1 (no scaling)")
    theta = _number(f"{key}.rope_theta", values.get("rope_theta"))
    share = _number(f"{key}.partial_rotary_factor", values.get("partial_rotary_factor", 1.0))
    try:
        return RopeConfig(rope_type=rope_type, rope_theta=theta, partial_rotary_factor=share)
    except ConfigError as error:
        raise ConfigError(f"{key}.{error}") from None


def _number(key: str, value: object) -> float:
    if not isinstance(value, int | float):
        raise ConfigError(f"{key}: got {value!r}, expected a number")
    return float(value)


def _rope_json(rope: RopeConfig) -> Json:
    return {
        "rope_type": rope.rope_type,
        "rope_theta": rope.rope_theta,
        "partial_rotary_factor": rope.partial_rotary_factor,
    }


def _read_relations(data: Json) -> RelationConfig:
    return RelationConfig(
        names=tuple(data.get("names", ())),
        heads={t: tuple(h) for t, h in data.get("heads", {}).items()},
    )


def _as_tuple(value: int | list[int] | None) -> tuple[int, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else tuple(value)
