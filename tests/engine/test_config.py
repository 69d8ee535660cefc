"""config.json: what is read, what is assumed, what is refused."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from engine.config import ConfigError, LayerConfig, ModelConfig, RelationConfig, RopeConfig
from engine.config_json import config_from_json, config_to_json, read_config
from solvers.sudoku.train import sudoku_config

Json = dict[str, Any]


def published() -> Json:
    """The 26B's sizes in the published spelling."""
    return {
        "architectures": ["DiffusionGemmaForBlockDiffusion"],
        "model_type": "diffusion_gemma",
        "canvas_length": 256,
        "image_token_id": 258_880,
        "tie_word_embeddings": True,
        "text_config": {
            "model_type": "diffusion_gemma_text",
            "attention_k_eq_v": True,
            "vocab_size": 262_144,
            "hidden_size": 2816,
            "intermediate_size": 2112,
            "moe_intermediate_size": 704,
            "num_hidden_layers": 30,
            "num_attention_heads": 16,
            "num_key_value_heads": 8,
            "num_global_key_value_heads": 2,
            "head_dim": 256,
            "global_head_dim": 512,
            "num_experts": 128,
            "top_k_experts": 8,
            "sliding_window": 1024,
            "hidden_activation": "gelu_pytorch_tanh",
            "use_bidirectional_attention": "vision",
            "eos_token_id": [1, 106],
        },
        "vision_config": {"model_type": "gemma4_vision"},
    }


def changed(path: str, value: object) -> Json:
    """The published config with one key set; ``path`` is dotted."""
    config = published()
    *parents, last = path.split(".")
    at = config
    for name in parents:
        at = at.setdefault(name, {})
    at[last] = value
    return config


def test_the_26b_is_read_from_the_published_spelling() -> None:
    config = config_from_json(published())
    sliding = LayerConfig(layer_type="sliding_attention", head_dim=256, num_key_value_heads=8)
    full = LayerConfig(layer_type="full_attention", head_dim=512, num_key_value_heads=2)
    assert config.layers == (*[sliding] * 5, full) * 5
    assert (config.hidden_size, config.intermediate_size, config.vocab_size) == (2816, 2112, 262144)
    assert (config.num_experts, config.moe_intermediate_size, config.top_k_experts) == (128, 704, 8)
    assert (config.num_attention_heads, config.sliding_window) == (16, 1024)
    assert config.canvas_length == 256
    assert config.eos_token_id == (1, 106)


def test_newer_saves_spell_the_same_layers_per_layer() -> None:
    data = published()
    del data["text_config"]["global_head_dim"], data["text_config"]["num_global_key_value_heads"]
    wide = {"head_dim": 512, "num_key_value_heads": 2}
    data["text_config"]["per_layer_config"] = {f"{i:02}": wide for i in range(5, 30, 6)}
    assert config_from_json(data) == config_from_json(published())


def test_what_is_absent_has_the_architectures_defaults() -> None:
    config = config_from_json(published())
    assert config.rope == {
        "sliding_attention": RopeConfig(rope_type="default", rope_theta=10_000.0),
        "full_attention": RopeConfig(
            rope_type="proportional", rope_theta=1_000_000.0, partial_rotary_factor=0.25
        ),
    }
    assert (config.rms_norm_eps, config.final_logit_softcapping) == (1e-6, 30.0)
    assert (config.pad_token_id, config.bos_token_id) == (0, 2)
    assert (config.positions, config.first_belief, config.task) == ("rotary", "zero", "text")
    assert config.relations == RelationConfig()
    assert config.head_relations("full_attention") == ("all",) * 16


def test_full_layers_default_to_heads_of_512_and_the_common_kv_heads() -> None:
    data = published()
    del data["text_config"]["global_head_dim"], data["text_config"]["num_global_key_value_heads"]
    last = config_from_json(data).layers[-1]
    assert (last.head_dim, last.num_key_value_heads) == (512, 8)


@pytest.mark.parametrize("config", [config_from_json(published()), sudoku_config()])
def test_what_is_written_is_read_back(config: ModelConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_to_json(config)), encoding="utf-8")
    assert read_config(path) == config


REFUSALS = [
    ("model_type", "gemma4", "model_type: got 'gemma4'"),
    ("text_config", None, "text_config: expected an object"),
    ("tie_word_embeddings", False, "tie_word_embeddings: got False"),
    ("positions", "learned", "positions: got 'learned', accepted: 'rotary', 'none'"),
    ("first_belief", "random", "first_belief: got 'random'"),
    ("canvas_length", 0, "canvas_length: got 0"),
    ("text_config.hidden_activation", "relu", "text_config.hidden_activation: got 'relu'"),
    ("text_config.attention_bias", True, "text_config.attention_bias: got True"),
    ("text_config.use_bidirectional_attention", "all", "use_bidirectional_attention: got 'all'"),
    ("text_config.num_experts", None, "num_experts: got None"),
    ("text_config.vocab_size", "many", "vocab_size: got 'many'"),
    ("text_config.sliding_window", 0, "sliding_window: got 0"),
    ("text_config.top_k_experts", 129, "top_k_experts: 129"),
    ("text_config.num_hidden_layers", 0, "num_hidden_layers: expected at least 1"),
    ("text_config.num_hidden_layers", 29, "layer_types: the last layer must be"),
    ("text_config.layer_types", ["full_attention"], "layer_types: 1 entries for 30 layers"),
    ("text_config.layer_types", ["linear"] * 30, r"layer_types\[0\]: got 'linear'"),
    ("text_config.num_hidden_layers", None, "num_hidden_layers: got None"),
    ("text_config.head_dim", None, "head_dim of sliding_attention: got None"),
    ("text_config.num_key_value_heads", "8", "num_key_value_heads of sliding_attention: '8'"),
    ("text_config.head_dim", 255, "head_dim of sliding_attention: got 255"),
    ("text_config.num_key_value_heads", 3, "num_key_value_heads of sliding_attention: 3"),
    ("text_config.per_layer_config", {"3": {"head_dim": 64}}, "layer 3: .* differs"),
    ("text_config.per_layer_config", {"5": {"hidden_size": 64}}, "per_layer_config.5: hidden_size"),
    (
        "text_config.rope_parameters",
        {"full_attention": {"rope_theta": 1e4}},
        "sliding_attention: m",
    ),
    ("relations", {"heads": {"full_attention": ["all"]}}, "relations.heads.full_attention: 1 entr"),
    ("relations", {"heads": {"full_attention": ["row"] * 16}}, r"unknown \['row'\]"),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSALS)
def test_what_cannot_be_run_is_refused_by_the_name_of_its_key(
    path: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config_from_json(changed(path, value))


ROPE_REFUSALS = [
    ({"factor": 8.0}, "rope_parameters.full_attention.factor: got 8.0"),
    ({"rope_type": "yarn"}, "rope_parameters.full_attention.rope_type: got 'yarn'"),
    ({"rope_theta": None}, "rope_parameters.full_attention.rope_theta: got None"),
    ({"rope_theta": 0}, "rope_parameters.full_attention.rope_theta: got 0"),
    ({"partial_rotary_factor": 1.5}, "full_attention.partial_rotary_factor: got 1.5"),
    ({"rope_type": "default"}, "full_attention.partial_rotary_factor: got 0.25"),
]


@pytest.mark.parametrize(("change", "message"), ROPE_REFUSALS)
def test_rotary_embeddings_that_differ_are_refused(change: Json, message: str) -> None:
    rope = {"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 0.25} | change
    with pytest.raises(ConfigError, match=message):
        config_from_json(changed("text_config.rope_parameters", {"full_attention": rope}))


def test_a_factor_of_one_scales_nothing_and_is_read() -> None:
    rope = {
        "sliding_attention": {"rope_theta": 1e4, "factor": 1.0},
        "full_attention": {"rope_theta": 1e6, "rope_type": "proportional", "factor": 1},
    }
    config = config_from_json(changed("text_config.rope_parameters", rope))
    assert config.rope["full_attention"].partial_rotary_factor == 1.0


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "head_dim", "num_experts"])
def test_a_missing_size_is_named(key: str) -> None:
    data = deepcopy(published())
    del data["text_config"][key]
    with pytest.raises(ConfigError, match=rf"text_config\.{key}: missing"):
        config_from_json(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "JSON list, expected an object"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_holds_no_config_is_refused(
    text: str | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_config(path)
