"""What is given as a model: a folder, or a name on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.model_source import ModelSource, model_sources
from service.settings import SettingsError
from solvers.bundled import bundled_checkpoints


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("given", "name", "revision"),
    [
        ("google/diffusiongemma-26b", "diffusiongemma-26b", None),
        ("google/diffusiongemma-26b@v1.0", "diffusiongemma-26b", "v1.0"),
        ("a.b-c/d_e@refs/pr/3", "d_e", "refs/pr/3"),
    ],
)
def test_a_hub_model_goes_by_the_name_after_the_slash(
    given: str, name: str, revision: str | None
) -> None:
    repository = given.partition("@")[0]
    assert ModelSource.parse(given) == ModelSource(name, None, repository, revision)


def test_an_existing_folder_wins_over_the_hub(tmp_path: Path) -> None:
    (tmp_path / "google" / "model").mkdir(parents=True)
    source = ModelSource.parse("google/model")
    assert source == ModelSource("model", tmp_path / "google" / "model")
    assert source.fetched() == tmp_path / "google" / "model"


def test_a_folder_goes_by_its_name_and_a_link_by_its_own(tmp_path: Path) -> None:
    (tmp_path / "disk" / "checkpoint").mkdir(parents=True)
    Path("mine").symlink_to("disk/checkpoint")
    assert ModelSource.parse("disk/../disk/checkpoint/").name == "checkpoint"
    assert ModelSource.parse("mine") == ModelSource("mine", tmp_path / "mine")


def test_a_hub_model_is_fetched_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.hub.fetch", lambda *given: Path("/cache", *map(str, given)))
    assert ModelSource.parse("org/m@v2").fetched() == Path("/cache/org/m/v2")


@pytest.mark.parametrize(
    "given",
    ["nowhere", "/no/where", "/nowhere", "./nowhere/x", "../x", "a/b/c", "~/m", "org/", "org/m@"],
)
def test_what_can_be_neither_is_told_both_possibilities(given: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ModelSource.parse(given)
    said = str(refused.value)
    assert said.startswith(f"models: {given} is not a folder; accepted: a checkpoint folder, or")
    assert "ORG/NAME@REVISION" in said


def test_a_file_is_not_looked_up_on_the_hub(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "model.safetensors").touch()
    with pytest.raises(SettingsError, match=r"runs/model\.safetensors is not a folder"):
        ModelSource.parse("runs/model.safetensors")


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    for other in ("org/m", "org/m@v2"):
        with pytest.raises(SettingsError, match="two have the same name, m, which requests go by"):
            model_sources(["m", other])
    assert [source.name for source in model_sources(["m", "org/n"])] == ["m", "n"]


def test_bundled_stands_for_all_that_inkfill_comes_with(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    names = [source.name for source in model_sources(["bundled", "mine"])]
    assert names == [*bundled_checkpoints(), "mine"]
    (tmp_path / "bundled").mkdir()
    assert [source.folder for source in model_sources(["bundled"])] == [tmp_path / "bundled"]
