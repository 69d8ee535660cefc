"""Checkpoints: what is saved is loaded, and has a digest."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engine.attention import plan_attention
from engine.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from engine.model import DiffusionGemma
from engine.weight_files import INDEX_FILE, SINGLE_FILE
from engine.weight_hashes import digest_of
from tests.engine.checkpoints import NAME, SHARD_BYTES, Tensors, random_model, rewrite
from tests.engine.factories import CELLS, VOCABULARY, latin_relations, small_config


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in one file; copy it before changing it."""
    folder = tmp_path_factory.mktemp("saved")
    save_checkpoint(random_model(), folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A checkpoint of this test's own."""
    return Path(shutil.copytree(saved, tmp_path / "checkpoint"))


def assert_same_model(checkpoint: Checkpoint, model: DiffusionGemma) -> None:
    assert checkpoint.config == model.config
    expected = model.state_dict()
    assert checkpoint.model.state_dict().keys() == expected.keys()
    for name, tensor in checkpoint.model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("max_shard_bytes", [10**9, SHARD_BYTES, 1])
def test_what_is_saved_is_loaded(max_shard_bytes: int, tmp_path: Path) -> None:
    model = random_model()
    save_checkpoint(model, tmp_path, max_shard_bytes=max_shard_bytes)
    checkpoint = load_checkpoint(tmp_path)
    assert_same_model(checkpoint, model)
    assert not checkpoint.model.training
    assert not any(p.requires_grad or p.is_meta for p in checkpoint.model.parameters())
    assert (tmp_path / INDEX_FILE).exists() == (max_shard_bytes < 10**9)


def test_a_loaded_model_decodes_as_the_saved_one(tmp_path: Path) -> None:
    model = random_model()
    save_checkpoint(model, tmp_path)
    loaded = load_checkpoint(tmp_path).model
    canvas = torch.arange(CELLS)[None] % VOCABULARY
    plan = plan_attention(model.config, latin_relations(), model.device)
    with torch.no_grad():
        assert torch.equal(loaded.decode(canvas, None, plan), model.decode(canvas, None, plan))


def test_shards_keep_to_their_size_and_the_index_counts_all_bytes(tmp_path: Path) -> None:
    model = random_model()
    save_checkpoint(model, tmp_path, max_shard_bytes=SHARD_BYTES)
    index = json.loads((tmp_path / INDEX_FILE).read_text())
    shards = {file: load_file(tmp_path / file) for file in set(index["weight_map"].values())}
    assert len(shards) > 2
    sizes = [sum(t.nbytes for t in shard.values()) for shard in shards.values()]
    assert max(sizes) <= SHARD_BYTES
    assert sum(sizes) == index["metadata"]["total_size"]
    assert all(name in shards[file] for name, file in index["weight_map"].items())


def test_files_can_be_read_by_everyone(saved: Path) -> None:
    assert {path.stat().st_mode & 0o777 for path in saved.iterdir()} == {0o644}


@pytest.mark.parametrize(("before", "after"), [(10**9, SHARD_BYTES), (SHARD_BYTES, 10**9)])
def test_saving_again_replaces_all_of_the_earlier_save(
    before: int, after: int, tmp_path: Path
) -> None:
    save_checkpoint(random_model(), tmp_path, max_shard_bytes=before)
    model = random_model(small_config(hidden_size=16))
    save_checkpoint(model, tmp_path, max_shard_bytes=after)
    assert_same_model(load_checkpoint(tmp_path), model)
    save_checkpoint(model, tmp_path / "fresh", max_shard_bytes=after)
    names = {path.name for path in (tmp_path / "fresh").iterdir()}
    assert {path.name for path in tmp_path.iterdir()} == names | {"fresh"}


def test_the_digest_is_the_same_however_the_weights_are_sharded(
    saved: Path, tmp_path: Path
) -> None:
    digest = load_checkpoint(saved).digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    for limit in (SHARD_BYTES, 1):
        save_checkpoint(random_model(), tmp_path / str(limit), max_shard_bytes=limit)
        assert load_checkpoint(tmp_path / str(limit)).digest == digest


def test_names_count_in_a_digest_and_their_order_does_not() -> None:
    assert digest_of({"a": "1", "b": "2"}) == digest_of({"b": "2", "a": "1"})
    assert digest_of({"a": "1"}) != digest_of({"b": "1"})


def test_the_digest_changes_with_a_single_bit(saved: Path, folder: Path) -> None:
    data = bytearray((folder / SINGLE_FILE).read_bytes())
    data[-1] ^= 1
    (folder / SINGLE_FILE).write_bytes(data)
    assert load_checkpoint(folder).digest != load_checkpoint(saved).digest


def test_the_digest_tells_which_tensor_holds_what(saved: Path, folder: Path) -> None:
    def swap(tensors: Tensors) -> None:
        up, gate = NAME, NAME.replace("up_proj", "gate_proj")
        tensors[up], tensors[gate] = tensors[gate], tensors[up]

    rewrite(folder, swap)
    assert load_checkpoint(folder).digest != load_checkpoint(saved).digest


def test_the_digest_and_the_model_do_not_depend_on_tensors_that_are_skipped(
    saved: Path, folder: Path
) -> None:
    vision = ("model.encoder.embed_vision.x", "model.encoder.vision_tower.y")
    rewrite(folder, lambda tensors: tensors.update({name: torch.ones(2) for name in vision}))
    checkpoint = load_checkpoint(folder)
    assert checkpoint.skipped == vision
    assert checkpoint.digest == load_checkpoint(saved).digest


@pytest.mark.parametrize("keep", [True, False], ids=["beside", "instead"])
def test_tied_copies_are_accepted_beside_or_instead_of_the_decoders(
    keep: bool, saved: Path, folder: Path
) -> None:
    def tie(tensors: Tensors) -> None:
        take = tensors.get if keep else tensors.pop
        copy = take(NAME).clone()
        tensors[NAME.replace("decoder", "encoder.language_model")] = copy
        tensors["lm_head.weight"] = take("model.decoder.embed_tokens.weight").clone()

    rewrite(folder, tie)
    assert_same_model(load_checkpoint(folder), random_model())
    assert load_checkpoint(folder).digest == load_checkpoint(saved).digest


def test_the_two_passes_keep_layer_scalars_of_their_own(folder: Path) -> None:
    def set_scalars(tensors: Tensors) -> None:
        tensors["model.decoder.layers.1.layer_scalar"] = torch.tensor([2.0])
        tensors["model.encoder.language_model.layers.1.layer_scalar"] = torch.tensor([3.0])

    rewrite(folder, set_scalars)
    state = load_checkpoint(folder).model.state_dict()
    assert state["layers.1.layer_scalar"].item() == 2
    assert state["layers.1.encoder_layer_scalar"].item() == 3


@pytest.mark.parametrize("spelling", ["global", "per layer"])
def test_both_spellings_of_per_layer_sizes_load(spelling: str, tmp_path: Path) -> None:
    sliding, full = small_config().layers
    wide = replace(full, head_dim=16, num_key_value_heads=2)
    model = random_model(small_config(layers=(sliding, wide)))
    save_checkpoint(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    if spelling == "per layer":
        text = config["text_config"]
        sizes = {
            "head_dim": text.pop("global_head_dim"),
            "num_key_value_heads": text.pop("num_global_key_value_heads"),
        }
        text["per_layer_config"] = {"1": sizes}
        (tmp_path / "config.json").write_text(json.dumps(config))
    assert_same_model(load_checkpoint(tmp_path), model)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_keep_their_dtype_unless_another_is_asked_for(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    save_checkpoint(random_model().to(dtype), tmp_path)
    assert {t.dtype for t in load_checkpoint(tmp_path).model.state_dict().values()} == {dtype}
    asked = load_checkpoint(tmp_path, dtype=torch.float32)
    assert {t.dtype for t in asked.model.state_dict().values()} == {torch.float32}
    assert asked.digest == load_checkpoint(tmp_path).digest
