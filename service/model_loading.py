"""The checkpoints that the settings name, loaded: all are looked at before any is read."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
import torch

from engine.checkpoint import CheckpointError, StoredCheckpoint
from engine.config import ConfigError
from engine.free_memory import free_memory
from engine.models import AnyCheckpoint
from engine.tensor_names import skipped_summary
from engine.text.text_checkpoint import TEXT_TASK, load_text_checkpoint
from engine.text.tokenizer import TokenizerError
from service.loading_progress import loading_progress
from service.model_source import model_sources
from service.settings import Settings, SettingsError
from service.texts import TextModel
from solvers.bundled import bundled_checkpoints

log = structlog.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class LoadedCheckpoints:
    """Checkpoints by the names that requests call them, and the strings of the text models."""

    checkpoints: Mapping[str, AnyCheckpoint]
    texts: Mapping[str, TextModel]


def load_models(settings: Settings) -> LoadedCheckpoints:
    """Load the checkpoints that the settings name, or the bundled ones.

    Raises:
        SettingsError: two have the same name, one cannot be had or read, they do not fit into the
            device's memory, or the device is not there.
    """
    device = _device(settings.device)
    folders = _folders(settings)
    stored = {name: _open(folder) for name, folder in folders.items()}
    _refuse_too_large(stored, device)
    texts = {
        name: _open_text(folders[name], checkpoint)
        for name, checkpoint in stored.items()
        if checkpoint.config.task == TEXT_TASK
    }
    loaded = {name: _load(name, checkpoint, device) for name, checkpoint in stored.items()}
    return LoadedCheckpoints(loaded, texts)


def _folders(settings: Settings) -> dict[str, Path]:
    if not settings.models:
        return bundled_checkpoints()
    return {source.name: source.fetched() for source in model_sources(settings.models)}


def _open(folder: Path) -> StoredCheckpoint:
    try:
        return StoredCheckpoint.open(folder)
    except (CheckpointError, ConfigError) as error:
        raise SettingsError(f"models: {error}") from error


def _open_text(folder: Path, stored: StoredCheckpoint) -> TextModel:
    try:
        return TextModel.from_folder(folder, stored.generation)
    except TokenizerError as error:
        raise SettingsError(f"models: {error}") from error


def _refuse_too_large(stored: Mapping[str, StoredCheckpoint], device: torch.device) -> None:
    needed = {name: checkpoint.weights.nbytes for name, checkpoint in stored.items()}
    free = free_memory(device)
    if free is None or sum(needed.values()) <= free:
        return
    each = ", ".join(f"{name} {_gigabytes(size)}" for name, size in needed.items())
    raise SettingsError(
        f"models: the weights need {_gigabytes(sum(needed.values()))} ({each}), but {device} has "
        f"{_gigabytes(free)} free; inkfill quantize makes a smaller checkpoint, --device "
        "(INKFILL_DEVICE) chooses another device"
    )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"


def _load(name: str, stored: StoredCheckpoint, device: torch.device) -> AnyCheckpoint:
    started = time.monotonic()
    if stored.weights.skipped:
        log.info("tensors_skipped", model=name, tensors=skipped_summary(stored.weights.skipped))
    try:
        with loading_progress(name) as progress:
            stored.weights.report_to(progress)
            checkpoint = _read(stored, device)
    except (CheckpointError, ConfigError) as error:
        raise SettingsError(f"models: {error}") from error
    log.info(
        "model_loaded",
        model=name,
        device=str(device),
        digest=checkpoint.digest[:12],
        ms=round((time.monotonic() - started) * 1e3),
    )
    return checkpoint


def _read(stored: StoredCheckpoint, device: torch.device) -> AnyCheckpoint:
    if stored.config.task == TEXT_TASK:
        return load_text_checkpoint(stored, device)
    return stored.load(device)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    there = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= there:
        known = ", ".join(["cpu", *(f"cuda:{i}" for i in range(there))])
        raise SettingsError(f"device: got {name!r}, which PyTorch does not find; accepted: {known}")
    return device
