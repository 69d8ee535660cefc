"""Fetching from the Hugging Face Hub, with a stand-in for its client's download."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from structlog.testing import capture_logs

from service.hub import fetch, logged_bars
from service.settings import SettingsError

REPOSITORY = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "chat_template.jinja",
    "model-00001-of-00001.safetensors",
    "model.safetensors.index.json",
    "README.md",
    "pytorch_model.bin",
    "onnx/model.onnx",
    "original/consolidated.safetensors",
}
RESPONSE = httpx.Response(404, request=httpx.Request("GET", "https://example.com"))


def stand_in(
    monkeypatch: pytest.MonkeyPatch, folder: Path, files: set[str]
) -> list[tuple[str, str | None]]:
    """A download that makes those of ``files`` that are asked for; what it was called for."""
    calls = list[tuple[str, str | None]]()

    def download(
        repository: str, *, revision: str | None, allow_patterns: list[str], tqdm_class: object
    ) -> str:
        calls.append((repository, revision))
        for file in files:
            if any(fnmatch(file, pattern) for pattern in allow_patterns):
                (folder / file).touch()
        return str(folder)

    monkeypatch.setattr("service.hub.snapshot_download", download)
    return calls


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, cause: Exception | None) -> None:
    def download(*_: object, **__: object) -> str:
        raise error from cause

    monkeypatch.setattr("service.hub.snapshot_download", download)


def test_only_what_serving_takes_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stand_in(monkeypatch, tmp_path, REPOSITORY)
    assert fetch("org/m", "v2") == tmp_path
    assert calls == [("org/m", "v2")]
    unused = {"README.md", "pytorch_model.bin", "onnx/model.onnx"}
    unused.add("original/consolidated.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == REPOSITORY - unused


def test_a_repository_without_safetensors_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, tmp_path, {"config.json", "pytorch_model.bin"})
    with pytest.raises(SettingsError, match=r"org/m on the Hugging Face Hub holds no safetensors"):
        fetch("org/m")


@pytest.mark.parametrize(
    ("error", "cause", "said"),
    [
        (
            RepositoryNotFoundError("no", response=RESPONSE),
            None,
            "org/m is neither a folder here nor a model on the Hugging Face Hub.*HF_TOKEN",
        ),
        (GatedRepoError("no", response=RESPONSE), None, "gated: accept its terms.*HF_TOKEN"),
        (RevisionNotFoundError("no", response=RESPONSE), None, "has no revision v9"),
        (LocalEntryNotFoundError("no"), None, "not in the Hub's cache, and the Hub cannot be"),
        (
            LocalEntryNotFoundError("no"),
            OfflineModeIsEnabled("offline"),
            "not a folder here, is not in the Hub's cache, and HF_HUB_OFFLINE is set",
        ),
        (HFValidationError("a bad name"), None, "cannot be fetched: a bad name"),
        (OSError(28, "No space left on device"), None, "cannot be fetched: .*No space left"),
        (httpx.ReadTimeout("too slow"), None, "cannot be fetched: too slow"),
        (XetDownloadError("broken"), None, "cannot be fetched: broken"),
    ],
)
def test_a_failed_fetch_says_why_and_what_to_do(
    error: Exception, cause: Exception | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, error, cause)
    with pytest.raises(SettingsError, match=f"^models: .*{said}"):
        fetch("org/m", "v9")


def bar(make: Callable[..., Any], name: str) -> Any:
    return make(disable=None, name=name, total=0, unit="B", unit_scale=True, desc="any")


def test_away_from_a_terminal_bytes_are_logged_and_nothing_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests turn off transformers' bars, and with them the Hub's.
    states = import_module("huggingface_hub.utils.tqdm")
    monkeypatch.setattr(states, "progress_bar_states", {})
    bars = logged_bars("org/m")
    with capture_logs() as logs:
        for name in ("huggingface_hub.snapshot_download.transfer", "another"):
            with bar(bars, name) as other:
                other.update(7)
        with bar(bars, "huggingface_hub.snapshot_download") as shown:
            shown.total = 200
            shown.update(50)
            shown.refresh()
        with bars(total=3, desc="Fetching 3 files") as files:
            files.update(1)
    (event,) = logs
    assert (event["event"], event["repository"]) == ("model_fetching", "org/m")
    assert (event["percent"], event["done_bytes"], event["total_bytes"]) == (25, 50, 200)
    assert capsys.readouterr() == ("", "")
