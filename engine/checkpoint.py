"""Checkpoints in the Hugging Face layout: ``config.json``, safetensors, Hugging Face's names.

Reads what transformers' ``save_pretrained`` writes for ``DiffusionGemmaForBlockDiffusion`` and
writes what its ``from_pretrained`` reads. Vision tensors are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.config import ModelConfig
from engine.generation import GenerationParams
from engine.model import DiffusionGemma, parameter_shapes
from engine.stored_weights import FLOATS, StoredWeights
from engine.tensor_names import stored_names
from engine.weight_files import INDEX_FILE, SINGLE_FILE, CheckpointError, stored_tensors

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "StoredCheckpoint",
    "load_checkpoint",
    "save_checkpoint",
]

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
#: Bytes; Hugging Face's own limit is of this order.
MAX_SHARD_BYTES = 5 * 10**9


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
        weights: by our names.
    """

    config: ModelConfig
    generation: GenerationParams
    weights: StoredWeights

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
        config = ModelConfig.from_file(folder / CONFIG_FILE)
        return cls(
            config=config,
            generation=_read_generation(folder / GENERATION_FILE, config),
            weights=StoredWeights(stored, shapes_of(config), dtypes=dtypes),
        )

    def load(
        self, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
    ) -> Checkpoint:
        """Read all weights into the plain network, each straight to the device.

        Args:
            device: where the weights go.
            dtype: of weights and activations; None for that of the stored embeddings.

        Raises:
            CheckpointError: tied copies differ, or a file changed meanwhile.
        """
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
    tensors = {stored_names(name)[0]: tensor for name, tensor in model.state_dict().items()}
    shards = _split(tensors, max_shard_bytes)
    files = _shard_files(len(shards))
    for file, names in zip(files, shards, strict=True):
        _replace(folder / file, partial(_save_tensors, {name: tensors[name] for name in names}))
    config = model.config.to_json() | {"dtype": str(model.dtype).removeprefix("torch.")}
    _write_json(folder / CONFIG_FILE, config)
    if generation is not None:
        _write_json(folder / GENERATION_FILE, generation.to_json())
    if len(files) > 1:
        total = sum(tensor.nbytes for tensor in tensors.values())
        placed = {name: file for file, names in zip(files, shards, strict=True) for name in names}
        index = {"metadata": {"total_size": total}, "weight_map": placed}
        _write_json(folder / INDEX_FILE, index)
    _remove_stale(folder, files)


def _read_generation(path: Path, config: ModelConfig) -> GenerationParams:
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return GenerationParams.from_json(data, config)
    except (ValueError, TypeError, AttributeError) as error:  # not JSON, or values of other types
        raise CheckpointError(f"{path}: {error}") from None


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(content, path, {"format": "pt"})  # without a format transformers refuses the file


def _split(tensors: Mapping[str, Tensor], max_bytes: int) -> list[list[str]]:
    """Names in order, in runs of at most ``max_bytes`` each."""
    shards: list[list[str]] = [[]]
    room = max_bytes
    for name, tensor in tensors.items():
        if tensor.nbytes > room and shards[-1]:
            shards.append([])
            room = max_bytes
        shards[-1].append(name)
        room -= tensor.nbytes
    return shards


def _shard_files(count: int) -> list[str]:
    if count == 1:
        return [SINGLE_FILE]
    return [f"model-{i:05}-of-{count:05}.safetensors" for i in range(1, count + 1)]


def _remove_stale(folder: Path, files: Sequence[str]) -> None:
    """Delete weights of an earlier save, which would be read instead of these."""
    stale = {*folder.glob("model-*-of-*.safetensors"), folder / SINGLE_FILE}
    if len(files) == 1:
        stale.add(folder / INDEX_FILE)
    for path in stale - {folder / file for file in files}:
        path.unlink(missing_ok=True)


def _write_json(path: Path, data: object) -> None:
    text = json.dumps(data, indent=2) + "\n"
    _replace(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a scratch file beside ``path``, then let it take the place of ``path``."""
    scratch = path.with_name(path.name + ".partial")
    write(scratch)
    scratch.chmod(0o644)  # safetensors makes files that only their owner reads
    scratch.replace(path)
