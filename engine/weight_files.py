"""Safetensors files on disk: which tensors a folder holds, where their bytes lie.

Knows the file format and shards with an index, as Hugging Face lays them out. Knows no network.
Format: 8 bytes of header length, a JSON header, then the tensors' bytes
(https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
_LENGTH_BYTES = 8
_CHUNK_BYTES = 8 * 2**20


class CheckpointError(ValueError):
    """A checkpoint that cannot be read; the message names the file or tensor at fault."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a safetensors file.

    Attributes:
        name: in the file.
        path: of the file.
        dtype: as safetensors spells it, ``F32``, ``BF16`` ...
        shape: its sizes.
        start: offset of its first byte in the file.
        end: offset after its last byte.
    """

    name: str
    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def nbytes(self) -> int:
        """Its size."""
        return self.end - self.start

    def content_hash(self, on_read: Callable[[int], object] = lambda _: None) -> str:
        """sha256 of its dtype, shape and bytes, hexadecimal.

        Args:
            on_read: told the size of every piece that was read and hashed.

        Raises:
            CheckpointError: the file is shorter than its header says.
        """
        digest = hashlib.sha256(f"{self.dtype} {list(self.shape)}\n".encode())
        buffer = memoryview(bytearray(min(self.nbytes, _CHUNK_BYTES)))
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.start)
            left = self.nbytes
            while left:
                size = file.readinto(buffer[:left])
                if not size:
                    raise CheckpointError(f"{self.path} became shorter while it was read")
                digest.update(buffer[:size])
                left -= size
                on_read(size)
        return digest.hexdigest()


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of a checkpoint folder by name, from one file or from shards.

    Raises:
        CheckpointError: no weights, a shard is missing or damaged, or a name is stored twice.
    """
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder; expected a checkpoint folder")
    if (folder / SINGLE_FILE).is_file():
        return {tensor.name: tensor for tensor in _read_header(folder / SINGLE_FILE)}
    if not (folder / INDEX_FILE).is_file():
        raise CheckpointError(f"{folder} holds neither {SINGLE_FILE} nor {INDEX_FILE}")
    return _read_shards(folder, _read_index(folder / INDEX_FILE))


def _read_index(path: Path) -> dict[str, str]:
    """Tensor name -> file name."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        return {str(name): str(file) for name, file in index.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(
            f"{path} is not a safetensors index: expected an object with a weight_map"
        ) from None


def _read_shards(folder: Path, index: Mapping[str, str]) -> dict[str, StoredTensor]:
    files = sorted(set(index.values()))
    for file in files:
        if Path(file).name != file or not (folder / file).is_file():
            raise CheckpointError(f"{INDEX_FILE} names {file}, which is not in {folder}")
    found: dict[str, StoredTensor] = {}
    for tensor in (tensor for file in files for tensor in _read_header(folder / file)):
        if tensor.name in found:
            raise CheckpointError(
                f"{tensor.name} is stored twice, in {found[tensor.name].path.name} and "
                f"{tensor.path.name}"
            )
        found[tensor.name] = tensor
    for name, file in index.items():
        if name not in found or found[name].path.name != file:
            raise CheckpointError(f"{INDEX_FILE} says that {file} holds {name}, but it does not")
    return found


def _read_header(path: Path) -> list[StoredTensor]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        start = _LENGTH_BYTES + length
        if size < start or size < _LENGTH_BYTES:
            raise CheckpointError(f"{path} is truncated: {size} bytes end within its header")
        tensors = _parse_header(path, file.read(length), start)
    expected = max((tensor.end for tensor in tensors), default=start)
    if size != expected:
        state = "truncated" if size < expected else "damaged"
        raise CheckpointError(f"{path} is {state}: {size} bytes, its header says {expected}")
    return tensors


def _parse_header(path: Path, raw: bytes, start: int) -> list[StoredTensor]:
    """The tensors that a header describes; its offsets count from ``start``."""
    try:
        return [
            StoredTensor(
                name=name,
                path=path,
                dtype=entry["dtype"],
                shape=tuple(entry["shape"]),
                start=start + entry["data_offsets"][0],
                end=start + entry["data_offsets"][1],
            )
            for name, entry in json.loads(raw).items()
            if name != "__metadata__"
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise CheckpointError(f"{path} is not a safetensors file: its header is damaged") from None
