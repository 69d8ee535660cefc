"""Writes the weights and the JSON files of a checkpoint folder, each file changing at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from engine.weight_files import INDEX_FILE, SINGLE_FILE

#: Bytes; Hugging Face's own limit is of this order.
MAX_SHARD_BYTES = 5 * 10**9


@dataclass(frozen=True, eq=False)
class Portion:
    """Tensors that are made together, and written to one file.

    Attributes:
        names: what they are stored as.
        nbytes: that they take together.
        make: makes them, by name, when their file is written.
    """

    names: tuple[str, ...]
    nbytes: int
    make: Callable[[], Mapping[str, Tensor]]


def write_weights(
    folder: Path, portions: Sequence[Portion], max_shard_bytes: int = MAX_SHARD_BYTES
) -> None:
    """Write safetensors, in shards with an index where there is more than one.

    What is made is held until its file is written: one shard at a time. Weights of an earlier
    save are replaced, and removed where they would be read instead of these.

    Args:
        folder: must exist.
        portions: in the order in which they are made and written.
        max_shard_bytes: of a file; a portion that is larger has a file to itself.
    """
    shards = _split(portions, max_shard_bytes)
    files = _shard_files(len(shards))
    for file, shard in zip(files, shards, strict=True):
        replace_file(folder / file, partial(_save, shard))
    if len(files) > 1:
        total = sum(portion.nbytes for portion in portions)
        placed = {
            name: file
            for file, shard in zip(files, shards, strict=True)
            for name in chain.from_iterable(portion.names for portion in shard)
        }
        write_json(folder / INDEX_FILE, {"metadata": {"total_size": total}, "weight_map": placed})
    _remove_stale(folder, files)


def write_json(path: Path, data: object) -> None:
    """Write JSON for people to read."""
    text = json.dumps(data, indent=2) + "\n"
    replace_file(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a scratch file beside ``path``, then let it take the place of ``path``."""
    scratch = path.with_name(path.name + ".partial")
    write(scratch)
    scratch.chmod(0o644)  # safetensors makes files that only their owner reads
    scratch.replace(path)


def _save(shard: Sequence[Portion], path: Path) -> None:
    made = chain.from_iterable(portion.make().items() for portion in shard)
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in made}
    save_file(content, path, {"format": "pt"})  # without a format transformers refuses the file


def _split(portions: Sequence[Portion], max_bytes: int) -> list[list[Portion]]:
    """In order, in runs of at most ``max_bytes`` each."""
    shards: list[list[Portion]] = [[]]
    room = max_bytes
    for portion in portions:
        if portion.nbytes > room and shards[-1]:
            shards.append([])
            room = max_bytes
        shards[-1].append(portion)
        room -= portion.nbytes
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
