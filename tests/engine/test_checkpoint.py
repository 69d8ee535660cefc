"""Checkpoints: what is saved is loaded, and what is damaged is refused by name."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.attention import plan_attention
from engine.canvas import SamplingParams
from engine.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from engine.config import ConfigError, ModelConfig
from engine.generation import GenerationParams
from engine.model import DiffusionGemma
from engine.weight_files import INDEX_FILE, SINGLE_FILE
from engine.weight_hashes import digest_of
from tests.engine.factories import CELLS, VOCABULARY, latin_relations, small_config

SHARD_BYTES = 20_000
NAME = "model.decoder.layers.0.mlp.up_proj.weight"
Tensors = dict[str, Tensor]


def random_model(config: ModelConfig | None = None) -> DiffusionGemma:
    model = DiffusionGemma(config or small_config())
    generator = torch.Generator().manual_seed(0)
    for tensor in model.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model


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


def rewrite(folder: Path, change: Callable[[Tensors], object]) -> None:
    """Change the tensors of a checkpoint in one file."""
    tensors = load_file(folder / SINGLE_FILE)
    change(tensors)
    save_file(tensors, folder / SINGLE_FILE)


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


def test_generation_defaults_are_saved_and_loaded(tmp_path: Path) -> None:
    params = GenerationParams(
        sampling=SamplingParams(
            max_steps=7, t_min=0.2, t_max=0.9, entropy_bound=0.3, stability=2, confidence=0.1
        ),
        max_new_tokens=12,
        eos_token_ids=(3, 4),
        pad_token_id=2,
    )
    save_checkpoint(random_model(), tmp_path, generation=params)
    assert load_checkpoint(tmp_path).generation == params


def test_generation_defaults_fall_to_the_architectures(saved: Path, folder: Path) -> None:
    expected = GenerationParams(eos_token_ids=(1,), pad_token_id=0)
    assert load_checkpoint(saved).generation == expected
    nothing = {"max_denoising_steps": None, "sampler_config": None, "t_max": None}
    (folder / "generation_config.json").write_text(json.dumps(nothing))
    assert load_checkpoint(folder).generation == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"t_min": 100}', "sampling.t_min: got 100"),
        ('{"sampler_config": {"_cls_name": "Greedy"}}', "_cls_name: got 'Greedy'"),
        ('{"t_min": "warm"}', "generation_config.json"),
        ("[]", "generation_config.json"),
        ("{", "generation_config.json"),
        ("[" * 100_000, "generation_config.json"),
        ('{"max_new_tokens": -1}', "max_new_tokens: got -1, accepted: an integer of at least 0"),
        ('{"max_new_tokens": "many"}', "max_new_tokens: got 'many'"),
        ('{"max_denoising_steps": 7.5}', "max_denoising_steps: got 7.5"),
        ('{"eos_token_id": [1, "a"]}', "eos_token_id: got 'a', accepted: tokens"),
        ('{"eos_token_id": 1e99}', r"eos_token_id: got 1e\+99"),
    ],
)
def test_generation_defaults_that_cannot_be_used_are_refused(
    text: str, message: str, folder: Path
) -> None:
    (folder / "generation_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)


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
