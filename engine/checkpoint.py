"""Checkpoints in the Hugging Face layout: ``config.json``, safetensors, Hugging Face's names.

Reads what transformers' ``save_pretrained`` writes for ``DiffusionGemmaForBlockDiffusion`` and
writes what its ``from_pretrained`` reads. There the network stands twice, as encoder and decoder
with tied weights; here once. Vision tensors are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.config import ModelConfig
from engine.generation import GenerationParams
from engine.model import DiffusionGemma
from engine.weight_files import (
    INDEX_FILE,
    SINGLE_FILE,
    CheckpointError,
    StoredTensor,
    content_hashes,
    digest_of,
    stored_tensors,
)

__all__ = ["Checkpoint", "CheckpointError", "load_checkpoint", "save_checkpoint"]

CONFIG_FILE = "config.json"
GENERATION_FILE = "generation_config.json"
#: Bytes; Hugging Face's own limit is of this order.
MAX_SHARD_BYTES = 5 * 10**9

_DECODER = "model.decoder."
_ENCODER = "model.encoder.language_model."
_SKIPPED = ("model.encoder.vision_tower.", "model.encoder.embed_vision.")
_DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
_LISTED = 5  # names in an error message


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
    stored = stored_tensors(folder)
    config = ModelConfig.from_file(folder / CONFIG_FILE)
    with torch.device("meta"):  # sizes without memory: the weights are held once
        model = DiffusionGemma(config)
    copies, skipped = _match(stored, model.state_dict())
    hashes = content_hashes(tensor for group in copies.values() for tensor in group)
    _refuse_untied(copies, hashes)
    chosen = {name: group[0] for name, group in copies.items()}
    dtype = dtype or _DTYPES[chosen["embed_tokens.weight"].dtype]
    model.load_state_dict(dict(_read(chosen, torch.device(device), dtype)), assign=True)
    return Checkpoint(
        config=config,
        model=model.requires_grad_(False).eval(),
        digest=digest_of({_stored_names(n)[0]: hashes[t] for n, t in chosen.items()}),
        generation=_read_generation(folder / GENERATION_FILE, config),
        skipped=skipped,
    )


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
    tensors = {_stored_names(name)[0]: tensor for name, tensor in model.state_dict().items()}
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


def _stored_names(name: str) -> tuple[str, ...]:
    """Where a parameter or buffer of ours may be stored: the name to write first, then its ties."""
    if name.endswith(".encoder_layer_scalar"):
        return (_ENCODER + name.replace("encoder_layer_scalar", "layer_scalar"),)
    if name.endswith(".layer_scalar") or name.startswith("self_conditioning."):
        return (_DECODER + name,)
    names = (_DECODER + name, _ENCODER + name)
    return (*names, "lm_head.weight") if name == "embed_tokens.weight" else names


def _match(
    stored: Mapping[str, StoredTensor], expected: Mapping[str, Tensor]
) -> tuple[dict[str, list[StoredTensor]], tuple[str, ...]]:
    """For each name of ours the tensors stored for it, and the names that are skipped.

    Raises:
        CheckpointError: missing, left over or misshapen tensors, or dtypes that cannot be run.
    """
    copies = {
        name: [stored[known] for known in _stored_names(name) if known in stored]
        for name in expected
    }
    if missing := [_stored_names(name)[0] for name, group in copies.items() if not group]:
        raise CheckpointError(f"missing tensors: {_listing(missing)}")
    used = {tensor.name for group in copies.values() for tensor in group}
    skipped = tuple(sorted(name for name in stored if name.startswith(_SKIPPED)))
    if extra := sorted(stored.keys() - used - set(skipped)):
        raise CheckpointError(f"tensors that the model has no place for: {_listing(extra)}")
    for name, group in copies.items():
        for tensor in group:
            _refuse_unfit(tensor, tuple(expected[name].shape))
    return copies, skipped


def _refuse_unfit(tensor: StoredTensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise CheckpointError(
            f"{tensor.name}: shape {list(tensor.shape)}, but {CONFIG_FILE} asks for {list(shape)}"
        )
    if tensor.dtype not in _DTYPES:
        raise CheckpointError(
            f"{tensor.name}: dtype {tensor.dtype}, accepted: {', '.join(_DTYPES)}"
        )


def _refuse_untied(
    copies: Mapping[str, Sequence[StoredTensor]], hashes: Mapping[StoredTensor, str]
) -> None:
    for first, *others in copies.values():
        for other in others:
            if hashes[other] != hashes[first]:
                raise CheckpointError(
                    f"{other.name} differs from {first.name}, but the two are tied"
                )


def _listing(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_LISTED])
    more = len(names) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _read(
    chosen: Mapping[str, StoredTensor], device: torch.device, dtype: torch.dtype
) -> Iterator[tuple[str, Tensor]]:
    """Our names and their tensors, file by file."""
    by_path = sorted(chosen.items(), key=lambda item: (item[1].path, item[1].start))
    for path, group in groupby(by_path, key=lambda item: item[1].path):
        with safe_open(path, framework="pt", device=str(device)) as file:
            for name, tensor in group:
                yield name, file.get_tensor(tensor.name).to(dtype)


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
