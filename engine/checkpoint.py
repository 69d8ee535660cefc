"""Checkpoints in the Hugging Face layout: ``config.json``, safetensors, Hugging Face's names.

Reads what transformers' ``save_pretrained`` writes for ``DiffusionGemmaForBlockDiffusion`` and
writes what its ``from_pretrained`` reads. Vision tensors are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.config_json import config_to_json, read_config
from engine.generation import GenerationParams
from engine.model import DiffusionGemma, parameter_shapes
from engine.precision.quantization import Quantization
from engine.stored_weights import FLOATS, StoredWeights
from engine.tensor_names import stored_names
from engine.weight_files import CheckpointError, stored_tensors
from engine.weight_writing import MAX_SHARD_BYTES, Portion, write_json, write_weights

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "StoredCheckpoint",
    "load_checkpoint",
    "save_checkpoint",
]

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model ready to run, and what is known of it.

    Attributes:
        config: from ``config.json``.
        model: in eval mode, no parameter wants a gradient.
        digest: sha256 over the names, dtypes, shapes and bytes of the stored tensors that the
            model uses, hexadecimal; the same however they are sharded.
        generation: from ``generation_config.json``, defaults where there is none.
        skipped: stored tensors that this engine has no use for: the vision tower's.
    """

    config: ModelConfig
    model: DiffusionGemma
    digest: str
    generation: GenerationParams
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class StoredCheckpoint:
    """A checkpoint that was found good, of which no weights are read yet.

    Attributes:
        config: from ``config.json``.
        generation: from ``generation_config.json``, defaults where there is none.
        weights: by our names; where they are quantised, ``engine.precision.stored`` reads them.
        quantization: what the matrices are kept in; None for floats.
    """

    config: ModelConfig
    generation: GenerationParams
    weights: StoredWeights
    quantization: Quantization | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        shapes_of: Callable[[ModelConfig], Mapping[str, tuple[int, ...]]] = parameter_shapes,
        *,
        dtypes: Collection[str] = FLOATS,
    ) -> StoredCheckpoint:
        """Look at a checkpoint folder: configuration, names, shapes and dtypes.

        Args:
            folder: holds ``config.json`` and safetensors.
            shapes_of: the names and shapes that a configuration stands for; another than the
                plain network's for weights that are stored quantised.
            dtypes: what may be stored, as safetensors spells it.

        Raises:
            CheckpointError: files are missing or damaged; tensors are missing, left over,
                misshapen or of another dtype.
            ConfigError: ``config.json`` asks for something unsupported.
        """
        stored = stored_tensors(folder)
        config = read_config(folder / CONFIG_FILE)
        quantization = Quantization.from_file(folder / CONFIG_FILE)
        shapes = shapes_of(config)
        if quantization is not None:
            shapes = quantization.stored_shapes(shapes)
            dtypes = (*dtypes, quantization.stored_dtype)
        return cls(
            config=config,
            generation=_read_generation(folder / GENERATION_FILE, config),
            weights=StoredWeights(stored, shapes, dtypes=dtypes),
            quantization=quantization,
        )

    def load(
        self, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
    ) -> Checkpoint:
        """Read all weights into the plain network, each straight to the device.

        Args:
            device: where the weights go.
            dtype: of weights and activations; None for that of the stored embeddings.

        Raises:
            CheckpointError: tied copies differ, a file changed meanwhile, or the weights are
                quantised, which the plain network cannot run.
        """
        if self.quantization is not None:
            raise CheckpointError(
                f"the weights are quantised to {self.quantization.precision.value}, and the plain "
                "network runs floats only: load the checkpoint that they were made from"
            )
        with torch.device("meta"):  # sizes without memory: the weights are held once
            model = DiffusionGemma(self.config)
        dtype = dtype or self.weights.dtype("embed_tokens.weight")
        tensors = {name: self.weights.tensor(name, device, dtype) for name in self.weights}
        model.load_state_dict(tensors, assign=True)
        return Checkpoint(
            config=self.config,
            model=model.requires_grad_(False).eval(),
            digest=self.weights.digest(),
            generation=self.generation,
            skipped=self.weights.skipped,
        )


def load_checkpoint(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> Checkpoint:
    """Read a checkpoint folder, each tensor straight to the device.

    Args:
        folder: holds ``config.json`` and safetensors.
        device: where the weights go.
        dtype: of weights and activations; None for that of the stored embeddings.

    Raises:
        CheckpointError: files are missing or damaged; tensors are missing, left over, misshapen
            or of a dtype that the engine cannot run; tied copies differ.
        ConfigError: ``config.json`` asks for something unsupported.
    """
    return StoredCheckpoint.open(folder).load(device, dtype)


def save_checkpoint(
    model: DiffusionGemma,
    folder: Path,
    *,
    generation: GenerationParams | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Write a checkpoint that ``load_checkpoint`` and transformers read.

    A checkpoint that lies in the folder is replaced; each file changes at once, so that a model
    being read keeps what it reads.

    Args:
        model: on any device, of one dtype.
        folder: made if need be.
        generation: sampling defaults to write; None writes none.
        max_shard_bytes: more than this, and the weights are split into files of at most so many
            bytes (or one tensor).
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder, [_portion(*item) for item in model.state_dict().items()], max_shard_bytes)
    config = config_to_json(model.config) | {"dtype": str(model.dtype).removeprefix("torch.")}
    write_json(folder / CONFIG_FILE, config)
    if generation is not None:
        write_json(folder / GENERATION_FILE, generation.to_json())


def _portion(name: str, tensor: Tensor) -> Portion:
    stored = stored_names(name)[0]
    return Portion((stored,), tensor.nbytes, lambda: {stored: tensor})


def _read_generation(path: Path, config: ModelConfig) -> GenerationParams:
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return GenerationParams.from_json(data, config)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:  # of what it holds
        raise CheckpointError(f"{path}: {error}") from None
