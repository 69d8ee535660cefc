"""Stored weights: read by our names, held once, hashed on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engine.checkpoint import StoredCheckpoint, save_checkpoint
from engine.config import ModelConfig
from engine.model import DiffusionGemma, parameter_shapes
from engine.stored_weights import FLOATS, StoredWeights
from engine.weight_files import SINGLE_FILE, CheckpointError, StoredTensor, stored_tensors
from tests.engine.factories import small_config, small_model

NAME = "layers.1.mlp.gate_proj.weight"


@pytest.fixture(scope="module")
def model() -> DiffusionGemma:
    return small_model()


@pytest.fixture(params=[10**9, 20_000], ids=["one file", "shards"])
def folder(request: pytest.FixtureRequest, model: DiffusionGemma, tmp_path: Path) -> Path:
    save_checkpoint(model, tmp_path, max_shard_bytes=request.param)
    return tmp_path


def opened(folder: Path) -> StoredWeights:
    return StoredWeights(stored_tensors(folder), parameter_shapes(small_config()))


def test_every_parameter_is_read_by_our_name(folder: Path, model: DiffusionGemma) -> None:
    weights = opened(folder)
    expected = model.state_dict()
    assert dict(weights) == {name: tuple(tensor.shape) for name, tensor in expected.items()}
    for name, tensor in expected.items():
        assert torch.equal(weights.tensor(name), tensor), name
    assert weights.nbytes == sum(tensor.nbytes for tensor in expected.values())


def test_a_tensor_becomes_the_dtype_that_is_asked_for(folder: Path, model: DiffusionGemma) -> None:
    read = opened(folder).tensor(NAME, "cpu", torch.bfloat16)
    assert torch.equal(read, model.state_dict()[NAME].bfloat16())
    assert opened(folder).dtype(NAME) == torch.float32


def test_opening_reads_no_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoredTensor, "content_hash", lambda *_: pytest.fail("hashed"))
    monkeypatch.setattr("engine.stored_weights.safe_open", lambda *_, **__: pytest.fail("read"))
    assert StoredCheckpoint.open(folder).config == small_config()


@pytest.mark.parametrize("read", [0, 3, 10**9])
def test_the_digest_and_its_progress_do_not_depend_on_what_was_read_before(
    folder: Path, read: int
) -> None:
    weights = opened(folder)
    told: list[tuple[int, int]] = []
    weights.report_to(lambda done, total: told.append((done, total)))
    for name in list(weights)[:read]:
        weights.tensor(name)
        weights.tensor(name)
    assert weights.digest() == weights.digest() == opened(folder).digest()
    done = [done for done, _ in told]
    assert done == sorted(done)
    assert {total for _, total in told} == {done[-1]} == {weights.nbytes}


def test_reading_waits_for_the_hashes_to_keep_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.weight_hashes._MAX_WAITING", 1)
    waiting, most = set[str](), list[int]()
    content_hash = StoredTensor.content_hash

    def watched(tensor: StoredTensor, *rest: object) -> str:
        waiting.add(tensor.name)
        most.append(len(waiting))
        try:
            return content_hash(tensor, *rest)  # type: ignore[arg-type]
        finally:
            waiting.remove(tensor.name)

    monkeypatch.setattr(StoredTensor, "content_hash", watched)
    weights = opened(folder)
    for name in weights:
        weights.tensor(name)
    weights.digest()
    assert set(most) == {1}


def test_a_file_that_becomes_shorter_is_refused_and_holds_nobody_up(
    model: DiffusionGemma, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.weight_hashes._MAX_WAITING", 1)
    save_checkpoint(model, tmp_path)
    weights = opened(tmp_path)
    path = tmp_path / SINGLE_FILE
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors became shorter"):
        weights.digest()


def anonymous_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith("RssAnon:"))
    return int(found.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for memory")
def test_a_tensor_on_the_cpu_is_held_in_the_page_cache_alone(tmp_path: Path) -> None:
    size = 2**26
    name = "model.decoder.norm.weight"
    save_file({name: torch.zeros(size, dtype=torch.uint8)}, tmp_path / SINGLE_FILE)
    weights = StoredWeights(stored_tensors(tmp_path), {"norm.weight": (size,)}, dtypes=["U8"])
    before = anonymous_bytes()
    tensor = weights.tensor("norm.weight")
    weights.digest()
    assert not tensor.any()
    assert anonymous_bytes() - before < size // 2


def test_writing_to_a_tensor_leaves_the_file_alone(folder: Path) -> None:
    digest = opened(folder).digest()
    opened(folder).tensor(NAME).zero_()
    assert opened(folder).digest() == digest


def quantised(folder: Path) -> dict[str, tuple[int, ...]]:
    """Rewrite a checkpoint so that one matrix is stored as int8 with scales; what it now holds."""
    shapes = parameter_shapes(small_config())
    stored = load_file(folder / SINGLE_FILE)
    matrix = stored.pop(f"model.decoder.{NAME}")
    stored[f"model.decoder.{NAME}.codes"] = torch.ones(matrix.shape, dtype=torch.int8)
    stored[f"model.decoder.{NAME}.scales"] = torch.full((len(matrix),), 0.5)
    save_file(stored, folder / SINGLE_FILE)
    shape = shapes.pop(NAME)
    return shapes | {f"{NAME}.codes": shape, f"{NAME}.scales": shape[:1]}


def test_weights_under_other_names_are_read_where_they_are_expected(
    model: DiffusionGemma, tmp_path: Path
) -> None:
    save_checkpoint(model, tmp_path)
    shapes = quantised(tmp_path)

    def shapes_of(config: ModelConfig) -> dict[str, tuple[int, ...]]:
        return shapes

    weights = StoredCheckpoint.open(tmp_path, shapes_of, dtypes=(*FLOATS, "I8")).weights
    assert weights.dtype(f"{NAME}.codes") == torch.int8
    assert weights.tensor(f"{NAME}.codes").sum() == weights.tensor(f"{NAME}.codes").numel()
    assert (weights.tensor(f"{NAME}.scales") == 0.5).all()
    with pytest.raises(CheckpointError, match=r"gate_proj\.weight\.codes: dtype I8, accepted: F32"):
        StoredCheckpoint.open(tmp_path, shapes_of)
    with pytest.raises(CheckpointError, match=rf"missing tensors: model\.decoder\.{NAME}$"):
        StoredCheckpoint.open(tmp_path)


def test_a_gpu_copies_what_the_kernel_was_told_to_fetch(
    model: DiffusionGemma, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(model, tmp_path)
    ahead, opens = list[StoredTensor](), list[str]()

    def on_the_cpu(path: Path, *, framework: str, device: str) -> object:
        opens.append(device)
        return safe_open(path, framework=framework, device="cpu")

    monkeypatch.setattr("engine.stored_weights._read_ahead", ahead.append)
    monkeypatch.setattr("engine.stored_weights.safe_open", on_the_cpu)
    opened(tmp_path).tensor(NAME, torch.device("cuda:1"))
    opened(tmp_path).tensor(NAME)
    assert opens == ["cuda:1", "cpu"]
    assert [tensor.name for tensor in ahead] == [f"model.decoder.{NAME}"]
