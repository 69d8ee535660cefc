"""Models are all looked at before any is read, and refused by name and with numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from structlog.testing import capture_logs

from engine.checkpoint import StoredCheckpoint, save_checkpoint
from engine.stored_weights import StoredWeights
from service.model_loading import load_models
from service.settings import SettingsError, load_settings
from tests.engine.factories import plain_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(plain_model(), tmp_path / "text")
    return tmp_path / "text"


@pytest.fixture
def _nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoredWeights, "tensor", lambda *_: pytest.fail("read"))


@pytest.mark.usefixtures("_nothing_is_read")
def test_a_bad_model_is_refused_before_a_good_one_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    settings = load_settings(models=(folder, tmp_path / "empty"), device="cpu")
    with pytest.raises(SettingsError, match=r"models: .*empty holds neither"):
        load_models(settings)


@pytest.mark.usefixtures("_nothing_is_read")
def test_weights_that_do_not_fit_are_refused_with_the_numbers(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(plain_model(), tmp_path / "twin")
    size = StoredCheckpoint.open(folder).weights.nbytes
    monkeypatch.setattr("service.model_loading.free_memory", lambda _: 2 * size - 1)
    monkeypatch.setattr("service.model_loading._gigabytes", lambda n: f"{n} B")
    settings = load_settings(models=(folder, tmp_path / "twin"), device="cpu")
    with pytest.raises(SettingsError) as refused:
        load_models(settings)
    assert str(refused.value) == (
        f"models: the weights need {2 * size} B (text {size} B, twin {size} B), but cpu has "
        f"{2 * size - 1} B free; inkfill quantize makes a smaller checkpoint, --device "
        "(INKFILL_DEVICE) chooses another device"
    )


@pytest.mark.parametrize("spare", [0, None])
def test_weights_that_just_fit_are_loaded(
    folder: Path, spare: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = StoredCheckpoint.open(folder).weights.nbytes
    free = None if spare is None else size + spare
    monkeypatch.setattr("service.model_loading.free_memory", lambda _: free)
    assert set(load_models(load_settings(models=(str(folder),), device="cpu")).checkpoints) == {
        "text"
    }


def test_a_hub_model_is_served_by_the_name_after_its_slash(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.hub.fetch", lambda *_: folder)
    settings = load_settings(models=("org/hub-model@v1",), device="cpu")
    assert set(load_models(settings).checkpoints) == {"hub-model"}


def test_what_is_skipped_is_said_and_why(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    vision = {f"model.encoder.vision_tower.{i}": torch.ones(2) for i in range(3)}
    save_file(stored | vision, folder / "model.safetensors")
    with capture_logs() as logs:
        load_models(load_settings(models=(folder,), device="cpu"))
    skipped, loaded = logs
    assert skipped["event"] == "tensors_skipped"
    assert skipped["tensors"] == "vision tower: 3 tensors, not served"
    assert loaded["event"] == "model_loaded"
