"""Text checkpoints that cannot be served are refused by name before their weights are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.checkpoint import CheckpointError, StoredCheckpoint, save_checkpoint
from engine.text.text_checkpoint import load_text_checkpoint
from tests.engine.factories import plain_model


def stored(folder: Path, dtype: torch.dtype) -> StoredCheckpoint:
    save_checkpoint(plain_model().to(dtype), folder)
    return StoredCheckpoint.open(folder)


def test_float16_is_refused_unless_another_dtype_is_asked_for(tmp_path: Path) -> None:
    half = stored(tmp_path / "half", torch.float16)
    with pytest.raises(
        CheckpointError, match=r"embed_tokens.weight: got float16, .* accepts: float32, bfloat16"
    ):
        load_text_checkpoint(half, "cpu")
    assert load_text_checkpoint(half, "cpu", torch.bfloat16).weights.dtype == torch.bfloat16


def test_activations_have_the_dtype_of_the_stored_embeddings(tmp_path: Path) -> None:
    loaded = load_text_checkpoint(stored(tmp_path / "brain", torch.bfloat16), "cpu")
    assert loaded.weights.dtype == torch.bfloat16
    assert loaded.precision == "bfloat16"
