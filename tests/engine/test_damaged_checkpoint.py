"""Checkpoints that are damaged or incomplete are refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from engine.config import ConfigError
from engine.weight_files import INDEX_FILE, SINGLE_FILE
from tests.engine.checkpoints import NAME, SHARD_BYTES, Tensors, random_model, rewrite


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint in one file, this test's own."""
    save_checkpoint(random_model(), tmp_path)
    return tmp_path


TENSOR_REFUSALS: list[tuple[Callable[[Tensors], object], str]] = [
    (lambda t: t.pop(NAME), f"missing tensors: {NAME}$"),
    (lambda t: [t.pop(n) for n in list(t)[:8]], r"missing tensors: (\S+, ){4}\S+ and 3 more$"),
    (lambda t: t.update(extra=torch.ones(1)), "no place for: extra$"),
    (lambda t: t.update({NAME: t[NAME][:5].clone()}), rf"{NAME}: shape \[5, 32\]"),
    (lambda t: t.update({NAME: t[NAME].to(torch.float8_e4m3fn)}), f"{NAME}: dtype F8_E4M3"),
    (
        lambda t: t.update({"lm_head.weight": t["model.decoder.embed_tokens.weight"] + 1}),
        "lm_head.weight differs from model.decoder.embed_tokens.weight",
    ),
    (
        lambda t: t.pop("model.encoder.language_model.layers.0.layer_scalar"),
        "missing tensors: model.encoder.language_model.layers.0.layer_scalar",
    ),
]


@pytest.mark.parametrize(("change", "message"), TENSOR_REFUSALS)
def test_tensors_that_do_not_fit_are_refused_by_name(
    change: Callable[[Tensors], object], message: str, folder: Path
) -> None:
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere is not a folder"):
        load_checkpoint(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"holds neither model\.safetensors nor"):
        load_checkpoint(tmp_path)


def test_a_folder_without_a_config_is_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ConfigError, match="does not exist"):
        load_checkpoint(folder)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_truncated_file_is_refused(kept: int, folder: Path) -> None:
    path = folder / SINGLE_FILE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is truncated: \d+ bytes"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data + b"more", "is damaged: .* its header says"),
        (lambda data: data[:8] + b"x" + data[9:], "its header is damaged"),
        (lambda _: (2).to_bytes(8, "little") + b"[]", "its header is damaged"),
    ],
)
def test_a_file_that_is_no_safetensors_is_refused(
    change: Callable[[bytes], bytes], message: str, folder: Path
) -> None:
    path = folder / SINGLE_FILE
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    save_checkpoint(random_model(), tmp_path, max_shard_bytes=SHARD_BYTES)
    return tmp_path


def test_a_missing_shard_is_named(sharded: Path) -> None:
    shard = min(sharded.glob("model-*.safetensors"))
    shard.unlink()
    with pytest.raises(CheckpointError, match=f"names {shard.name}, which is not in"):
        load_checkpoint(sharded)


def test_an_index_that_does_not_match_its_shards_is_refused(sharded: Path) -> None:
    index = json.loads((sharded / INDEX_FILE).read_text())
    index["weight_map"]["made.up"] = min(index["weight_map"].values())
    (sharded / INDEX_FILE).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"holds made\.up, but it does not"):
        load_checkpoint(sharded)


def test_an_index_that_leads_out_of_the_folder_is_refused(sharded: Path) -> None:
    index = json.loads((sharded / INDEX_FILE).read_text())
    outside = {name: f"../{sharded.name}/{file}" for name, file in index["weight_map"].items()}
    assert all((sharded / file).is_file() for file in outside.values())
    (sharded / INDEX_FILE).write_text(json.dumps({"weight_map": outside}))
    with pytest.raises(CheckpointError, match="which is not in"):
        load_checkpoint(sharded)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": []}'])
def test_a_file_that_is_no_index_is_refused(text: str, sharded: Path) -> None:
    (sharded / INDEX_FILE).write_text(text)
    with pytest.raises(CheckpointError, match="is not a safetensors index"):
        load_checkpoint(sharded)


def test_a_tensor_that_is_stored_twice_is_refused(sharded: Path) -> None:
    first, second, *_ = sorted(sharded.glob("model-*.safetensors"))
    name, tensor = next(iter(load_file(first).items()))
    save_file({**load_file(second), name: tensor}, second)
    with pytest.raises(CheckpointError, match=f"{name} is stored twice, in {first.name} and"):
        load_checkpoint(sharded)
