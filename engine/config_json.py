"""A checkpoint's ``config.json``: the spelling of a ``ModelConfig`` in a file.

Knows the names that Hugging Face gives the architecture's sizes, in both spellings of the
per-layer ones, and the few keys that Inkfill adds beside them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from engine.config import (
    DEFAULT_ROPE,
    TEXT_SIZES,
    ConfigError,
    FirstBelief,
    LayerConfig,
    LayerType,
    ModelConfig,
    Positions,
    RelationConfig,
    RopeConfig,
    RopeType,
)

Json = dict[str, Any]

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


def read_config(path: Path) -> ModelConfig:
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
    return config_from_json(data)


def config_from_json(data: Json) -> ModelConfig:
    """Read the outer (``diffusion_gemma``) config as saved by transformers or by Inkfill.

    Raises:
        ConfigError: something is missing or unsupported; the message names the key.
    """
    if data.get("model_type") != "diffusion_gemma":
        raise ConfigError(f"model_type: got {data.get('model_type')!r}, expected 'diffusion_gemma'")
    text = data.get("text_config")
    if not isinstance(text, dict):
        raise ConfigError("text_config: expected an object with the text model's sizes")
    _refuse_unsupported(data, text)
    try:
        return ModelConfig(
            **{name: text[name] for name in TEXT_SIZES},
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


def config_to_json(config: ModelConfig) -> Json:
    """The config as transformers reads it, with Inkfill's keys beside.

    transformers builds a vision tower with every checkpoint, so a small one is described;
    the checkpoint carries no tensors for it. It also reads the image token as padding, so
    that is put outside the vocabulary.
    """
    text: Json = {name: getattr(config, name) for name in (*TEXT_SIZES, *_TEXT_OPTIONS)}
    sliding = next((x for x in config.layers if x.is_sliding), None)
    full = next(x for x in config.layers if not x.is_sliding)
    base = sliding or full
    text |= {
        "model_type": "diffusion_gemma_text",
        "num_hidden_layers": config.num_hidden_layers,
        "layer_types": [x.layer_type for x in config.layers],
        "head_dim": base.head_dim,
        "num_key_value_heads": base.num_key_value_heads,
        "global_head_dim": full.head_dim,
        "num_global_key_value_heads": full.num_key_value_heads,
        "rope_parameters": {t: _rope_json(r) for t, r in config.rope.items()},
        "hidden_activation": "gelu_pytorch_tanh",
        "pad_token_id": config.pad_token_id,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": list(config.eos_token_id),
    }
    return {
        "architectures": ["DiffusionGemmaForBlockDiffusion"],
        "model_type": "diffusion_gemma",
        "canvas_length": config.canvas_length,
        "tie_word_embeddings": True,
        "text_config": text,
        "vision_config": _NO_VISION,
        "image_token_id": config.vocab_size,
        "relations": {
            "names": list(config.relations.names),
            "heads": {t: list(h) for t, h in config.relations.heads.items()},
        },
        "positions": config.positions,
        "first_belief": config.first_belief,
        "task": config.task,
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


def _read_rope(text: Json) -> dict[LayerType, RopeConfig]:
    parameters = text.get("rope_parameters")
    if not parameters:
        return dict(DEFAULT_ROPE)
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
