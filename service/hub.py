"""Models of the Hugging Face Hub, fetched into its cache.

``huggingface_hub`` reads where the cache is and how to log in from the environment: ``HF_HOME``,
``HF_TOKEN``, ``HF_HUB_OFFLINE``.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import httpx
import structlog
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from huggingface_hub.utils.tqdm import tqdm

from service.loading_progress import EVERY_S
from service.settings import SettingsError

log = structlog.get_logger(__name__)

#: What serving takes; repositories hold copies in other formats besides.
FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "model*.safetensors",
    "model.safetensors.index.json",
)
_BYTES_BAR = "huggingface_hub.snapshot_download"  # of three bars, the one of bytes on disk
_LOG_IN = "log in (hf auth login) or set HF_TOKEN"


def fetch(repository: str, revision: str | None = None) -> Path:
    """Fetch what is missing of a model, and say where it is.

    Args:
        repository: ``ORG/NAME``.
        revision: a branch, tag or commit; None for the main branch.

    Raises:
        SettingsError: no such repository or revision, no access to it, no network and not in the
            cache, or no safetensors in it.
    """
    bars = None if sys.stderr.isatty() else logged_bars(repository)
    try:
        folder = Path(
            snapshot_download(
                repository, revision=revision, allow_patterns=list(FILES), tqdm_class=bars
            )
        )
    except (HFValidationError, XetDownloadError, OSError, httpx.HTTPError) as error:
        raise SettingsError(f"models: {_reason(repository, revision, error)}") from error
    if not any(folder.glob("model*.safetensors")):
        raise SettingsError(f"models: {repository} on the Hugging Face Hub holds no safetensors")
    return folder


def logged_bars(repository: str) -> type[tqdm]:
    """Progress bars for ``huggingface_hub`` that are events in the log."""

    class LoggedBar(tqdm):
        told = 0

        def __init__(self, *args: Any, **options: Any) -> None:
            options["disable"] = options.get("name") != _BYTES_BAR
            options["mininterval"] = EVERY_S
            options["file"] = io.StringIO()  # where it ends its line
            super().__init__(*args, **options)  # type: ignore[no-untyped-call]

        def display(self, *_: object, **__: object) -> None:
            """What tqdm calls to draw itself."""
            if self.n > self.told:
                self.told = self.n
                log.info(
                    "model_fetching",
                    repository=repository,
                    percent=round(100 * self.n / max(self.total or 0, self.n)),
                    done_bytes=self.n,
                    total_bytes=self.total,
                )

    return LoggedBar


def _reason(repository: str, revision: str | None, error: Exception) -> str:
    where = f"{repository} on the Hugging Face Hub"
    if isinstance(error, GatedRepoError):
        return f"{where} is gated: accept its terms on its page, then {_LOG_IN}"
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{repository} is neither a folder here nor a model on the Hugging Face Hub; if it is "
            f"a private one, {_LOG_IN}"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{where} has no revision {revision or 'main'}"
    if isinstance(error, LocalEntryNotFoundError):
        offline = isinstance(error.__cause__, OfflineModeIsEnabled)
        why = "HF_HUB_OFFLINE is set" if offline else "the Hub cannot be reached"
        return f"{repository} is not a folder here, is not in the Hub's cache, and {why}"
    return f"{where} cannot be fetched: {' '.join(str(error).split())}"
