"""A quantised checkpoint holds what was quantised, says so, and is never taken for another."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoint import CheckpointError, StoredCheckpoint, load_checkpoint, save_checkpoint
from engine.config import ConfigError
from engine.precision.conversion import ConversionError, quantize_checkpoint
from engine.precision.precision import Precision
from engine.precision.quantization import QUANTIZED, Quantization, is_quantized
from engine.precision.quantize import quantize, relative_error
from engine.precision.stored import stored_weight
from engine.weight_files import INDEX_FILE, SINGLE_FILE
from tests.engine.factories import small_config, small_model
from tests.engine.hf_reference import random_reference

MATRICES = 3 + 2 * 9 - 1  # self-conditioning, and two layers, one of which has no value projection


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with several experts; copy it before changing it."""
    folder = tmp_path_factory.mktemp("source")
    save_checkpoint(small_model(num_experts=3, top_k_experts=2), folder)
    (folder / "generation_config.json").write_text('{"max_new_tokens": 64}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "README.md").write_text("of no use to it")
    return folder


@pytest.mark.parametrize("name", QUANTIZED)
@pytest.mark.parametrize("max_shard_bytes", [10**9, 5_000, 1])
def test_what_was_quantised_is_read_back(
    source: Path, tmp_path: Path, name: str, max_shard_bytes: int
) -> None:
    report = quantize_checkpoint(source, tmp_path, name, max_shard_bytes=max_shard_bytes)
    original = StoredCheckpoint.open(source)
    stored = StoredCheckpoint.open(tmp_path)
    assert stored.quantization == Quantization(QUANTIZED[name])
    assert stored.config == original.config
    assert stored.generation == original.generation
    for parameter in original.weights:
        tensor = original.weights.tensor(parameter)
        if not is_quantized(parameter):
            assert torch.equal(stored.weights.tensor(parameter), tensor)
            continue
        weight, expected = (
            stored_weight(stored.weights, parameter),
            quantize(tensor, QUANTIZED[name]),
        )
        assert weight.precision is QUANTIZED[name]
        assert torch.equal(weight.dequantized(), expected.dequantized())
        assert report.relative_errors[parameter] == pytest.approx(relative_error(tensor, expected))
    assert len(report.errors) == MATRICES
    assert (tmp_path / INDEX_FILE).exists() == (max_shard_bytes < 10**9)
    assert report.nbytes == (original.weights.nbytes, stored.weights.nbytes)


def test_what_is_said_of_it_lies_beside(source: Path, tmp_path: Path) -> None:
    report = quantize_checkpoint(source, tmp_path, "int4")
    said = json.loads((tmp_path / "quantization.json").read_text())
    assert said == json.loads(json.dumps(report.to_json()))
    assert (said["precision"], said["group"]) == ("int4", 128)
    assert said["source_digest"] == load_checkpoint(source).digest
    assert 0.05 < said["relative_error"] < 0.1
    assert said["relative_errors"]["layers.1.experts.down_proj"] > 0
    config = json.loads((tmp_path / "config.json").read_text())
    assert config.pop("quantization") == {
        "precision": "int4",
        "group": 128,
        "order": "nibbles",
    }
    assert config == json.loads((source / "config.json").read_text())


def test_tokenizer_and_template_come_along(source: Path, tmp_path: Path) -> None:
    quantize_checkpoint(source, tmp_path, "fp8")
    for name in ("generation_config.json", "tokenizer.json", "chat_template.jinja"):
        assert (tmp_path / name).read_bytes() == (source / name).read_bytes()
    assert not (tmp_path / "README.md").exists()


def test_a_checkpoint_of_transformers_is_quantised(tmp_path: Path) -> None:
    random_reference(3).save_pretrained(tmp_path / "in")
    report = quantize_checkpoint(tmp_path / "in", tmp_path / "out", "int8")
    assert report.relative_error < 0.01
    stored = StoredCheckpoint.open(tmp_path / "out")
    assert stored.config == StoredCheckpoint.open(tmp_path / "in").config
    assert stored.weights.digest() != report.digest


def test_floats_are_read_as_they_are(source: Path) -> None:
    stored = StoredCheckpoint.open(source)
    name = "layers.0.mlp.up_proj.weight"
    weight = stored_weight(stored.weights, name, dtype=torch.bfloat16)
    assert weight.precision is Precision.BFLOAT16
    assert torch.equal(weight.values, stored.weights.tensor(name).bfloat16())


def test_progress_counts_every_byte_of_the_source(source: Path, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    quantize_checkpoint(source, tmp_path, "int8", on_progress=lambda *now: heard.append(now))
    total = StoredCheckpoint.open(source).weights.nbytes
    assert heard == sorted(heard)
    assert heard[-1] == (total, total)


def test_quantised_weights_are_not_loaded_as_floats(source: Path, tmp_path: Path) -> None:
    quantize_checkpoint(source, tmp_path, "int8")
    with pytest.raises(
        CheckpointError,
        match="the weights are quantised to int8, and the plain network runs floats only: load "
        "the checkpoint that they were made from",
    ):
        load_checkpoint(tmp_path)


def test_what_is_quantised_is_not_quantised_again(source: Path, tmp_path: Path) -> None:
    quantize_checkpoint(source, tmp_path / "once", "int8")
    expected = (
        f"{tmp_path / 'once'} is quantised to int8 already; quantise the checkpoint that it was "
        "made from"
    )
    with pytest.raises(ConversionError, match=re.escape(expected)):
        quantize_checkpoint(tmp_path / "once", tmp_path / "twice", "int4")
    assert not (tmp_path / "twice").exists()


def test_a_precision_that_is_not_known_is_refused(source: Path, tmp_path: Path) -> None:
    for name in ("int2", "bfloat16"):
        expected = f"precision: got '{name}', accepted: int4, int8, fp8"
        with pytest.raises(ConversionError, match=expected):
            quantize_checkpoint(source, tmp_path, name)


def test_only_an_empty_folder_is_written_to(source: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(source, tmp_path / "in"))
    (tmp_path / "file").touch()
    refused = {
        tmp_path / "none" / ".." / "in": "is the checkpoint itself; name another folder to write",
        source: "is not empty; name a folder that is empty or not there",
        tmp_path / "file": "is not a folder",
    }
    (tmp_path / "none").mkdir()
    for out, complaint in refused.items():
        with pytest.raises(ConversionError, match=re.escape(f"{out} {complaint}")):
            quantize_checkpoint(own, out, "int4")
    with pytest.raises(CheckpointError, match="is not a folder; expected a checkpoint folder"):
        quantize_checkpoint(tmp_path / "nowhere", tmp_path / "out", "int4")


@pytest.mark.parametrize("made", [True, False])
def test_what_fails_leaves_nothing_behind(source: Path, tmp_path: Path, made: bool) -> None:
    own = Path(shutil.copytree(source, tmp_path / "in"))
    tensors = load_file(own / SINGLE_FILE)
    name = "model.decoder.layers.1.mlp.up_proj.weight"
    tensors[name][3, 4] = torch.nan
    save_file(tensors, own / SINGLE_FILE)
    out = tmp_path / "out"
    if made:
        out.mkdir()
    with pytest.raises(ConversionError, match=f"{name}: not all values are finite"):
        quantize_checkpoint(own, out, "int4", max_shard_bytes=5_000)
    assert out.exists() == made
    assert not made or not any(out.iterdir())


def test_inputs_that_cannot_be_packed_are_refused_by_name(tmp_path: Path) -> None:
    save_checkpoint(small_model(moe_intermediate_size=6), tmp_path / "in")
    name = "model.decoder.layers.0.experts.down_proj"
    expected = f"{name}: int4 takes a multiple of 4 inputs, but there are 6"
    with pytest.raises(ConversionError, match=expected):
        quantize_checkpoint(tmp_path / "in", tmp_path / "out", "int4")
    assert not (tmp_path / "out").exists()
    quantize_checkpoint(tmp_path / "in", tmp_path / "out", "int8")


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("int4", "quantization: got 'int4', expected an object"),
        ({"precision": "int2"}, "quantization.precision: got 'int2', accepted: int4, int8, fp8"),
        ({}, "quantization.precision: got None, accepted: int4, int8, fp8"),
        (
            {"precision": "int4", "group": 32},
            "quantization.group: got 32, accepted for int4: 128",
        ),
        (
            {"precision": "fp8", "group": 32},
            "quantization.group: got 32, accepted for fp8: None",
        ),
        (
            {"precision": "fp8", "group": None},
            "quantization.order: got None, accepted for fp8: 'inputs'; quantise the checkpoint",
        ),
    ],
)
def test_a_quantisation_that_there_is_not_is_refused(
    source: Path, tmp_path: Path, entry: object, complaint: str
) -> None:
    quantize_checkpoint(source, tmp_path, "int4")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"quantization": entry}))
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        StoredCheckpoint.open(tmp_path)


def test_values_of_another_dtype_are_refused_by_name(source: Path, tmp_path: Path) -> None:
    quantize_checkpoint(source, tmp_path, "int8")
    tensors = load_file(tmp_path / SINGLE_FILE)
    name = "model.decoder.layers.0.mlp.up_proj.weight"
    tensors[name + ".scales"] = tensors[name + ".scales"].bfloat16()
    save_file(tensors, tmp_path / SINGLE_FILE)
    stored = StoredCheckpoint.open(tmp_path)
    with pytest.raises(CheckpointError, match=r"layers\.0\.mlp\.up_proj\.weight: scales: int8 has"):
        stored_weight(stored.weights, "layers.0.mlp.up_proj.weight")


def test_only_matrices_of_attention_mlps_and_experts_are_quantised() -> None:
    model = small_model()
    kept = {name for name, _ in model.named_parameters() if not is_quantized(name)}
    assert kept == {
        name
        for name, _ in model.named_parameters()
        if "norm" in name or "router." in name or "embed" in name
    }
    assert len(dict(model.named_parameters())) - len(kept) == MATRICES
    assert small_config().num_hidden_layers == 2
