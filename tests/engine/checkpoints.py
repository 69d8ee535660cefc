"""Checkpoints for tests to save and to change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.config import ModelConfig
from engine.model import DiffusionGemma
from engine.weight_files import SINGLE_FILE
from tests.engine.factories import small_config

SHARD_BYTES = 20_000
NAME = "model.decoder.layers.0.mlp.up_proj.weight"
Tensors = dict[str, Tensor]


def random_model(config: ModelConfig | None = None) -> DiffusionGemma:
    model = DiffusionGemma(config or small_config())
    generator = torch.Generator().manual_seed(0)
    for tensor in model.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model


def rewrite(folder: Path, change: Callable[[Tensors], object]) -> None:
    """Change the tensors of a checkpoint in one file."""
    tensors = load_file(folder / SINGLE_FILE)
    change(tensors)
    save_file(tensors, folder / SINGLE_FILE)
