"""The weights of a checkpoint folder by our names, read one at a time straight to a device."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

import torch
from safetensors import safe_open
from torch import Tensor

from engine.tensor_names import is_skipped, stored_names
from engine.weight_files import CheckpointError, StoredTensor
from engine.weight_hashes import BackgroundHashes, digest_of

#: What weights that are not quantised may be stored as, in the spelling of safetensors.
FLOATS = ("F32", "BF16", "F16")

_DTYPES = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I8": torch.int8,
    "U8": torch.uint8,
    "I32": torch.int32,
}
_LISTED = 5  # names in an error message


class Progress(Protocol):
    """Told how far the reading of weights is."""

    def __call__(self, done_bytes: int, total_bytes: int, /) -> object:
        """Hear of progress; comes from several threads, one call at a time, and must not block.

        Args:
            done_bytes: read and hashed so far.
            total_bytes: in all.
        """


class StoredWeights(Mapping[str, tuple[int, ...]]):
    """Which stored tensor holds which parameter, and a way to read it; our names -> shapes.

    Making one reads no weights: whatever can be refused by its header is refused before. A tensor
    is mapped into memory and goes to its device in one copy, or on the CPU in none: there it lies
    in the page cache for as long as it keeps its dtype. Its hash is computed at the same time in
    the background, from the same pages. To be used by one thread.

    Args:
        stored: all tensors of a folder, from ``engine.weight_files.stored_tensors``.
        shapes: what the network consists of, by our names, such as
            ``engine.model.parameter_shapes`` says.
        dtypes: what may be stored, as safetensors spells it.

    Raises:
        CheckpointError: missing, left over or misshapen tensors, or dtypes other than ``dtypes``.
    """

    def __init__(
        self,
        stored: Mapping[str, StoredTensor],
        shapes: Mapping[str, tuple[int, ...]],
        *,
        dtypes: Collection[str] = FLOATS,
    ) -> None:
        self._copies, self._skipped = _match(stored, shapes, dtypes)
        self._total = sum(tensor.nbytes for group in self._copies.values() for tensor in group)
        self._progress: Progress | None = None
        self._hashes = BackgroundHashes(self._report)

    def __getitem__(self, name: str) -> tuple[int, ...]:
        return self._copies[name][0].shape

    def __iter__(self) -> Iterator[str]:
        return iter(self._copies)

    def __len__(self) -> int:
        return len(self._copies)

    @property
    def nbytes(self) -> int:
        """Bytes that all parameters take in the dtypes that they are stored in, each once."""
        return sum(group[0].nbytes for group in self._copies.values())

    @property
    def skipped(self) -> tuple[str, ...]:
        """Stored tensors that the engine has no use for, by their own names."""
        return self._skipped

    def dtype(self, name: str) -> torch.dtype:
        """What a parameter is stored as."""
        return _DTYPES[self._copies[name][0].dtype]

    def report_to(self, progress: Progress) -> None:
        """Tell ``progress`` of every few megabytes from now on."""
        self._progress = progress

    def tensor(
        self, name: str, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
    ) -> Tensor:
        """Read a parameter.

        Args:
            name: one of ours, such as ``layers.0.self_attn.q_proj.weight``.
            device: where it goes.
            dtype: what it becomes there; None keeps what is stored.

        Returns:
            The tensor. On the CPU in the stored dtype it is a private view of the file: writing
            to it copies the page and leaves the file alone.
        """
        first, *ties = self._copies[name]
        if torch.device(device).type != "cpu":
            _read_ahead(first)
        for tensor in (first, *ties):
            self._hashes.add(tensor)
        with safe_open(first.path, framework="pt", device=str(device)) as file:
            read: Tensor = file.get_tensor(first.name)
        return read if dtype is None else read.to(dtype)

    def digest(self) -> str:
        """sha256 over the names, dtypes, shapes and bytes of all parameters, hexadecimal.

        The same however they are sharded, and whichever of its ties a tensor is stored as. Waits
        for what the background has yet to do, and reads what was not read.

        Raises:
            CheckpointError: copies of a tensor differ that are tied.
        """
        for group in self._copies.values():
            for tensor in group:
                self._hashes.add(tensor)
        for first, *ties in self._copies.values():
            for tie in ties:
                if self._hashes.result(tie) != self._hashes.result(first):
                    raise CheckpointError(
                        f"{tie.name} differs from {first.name}, but the two are tied"
                    )
        return digest_of(
            {
                stored_names(name)[0]: self._hashes.result(group[0])
                for name, group in self._copies.items()
            }
        )

    def _report(self, done: int) -> None:
        if self._progress is not None:
            self._progress(done, self._total)


def _match(
    stored: Mapping[str, StoredTensor],
    shapes: Mapping[str, tuple[int, ...]],
    dtypes: Collection[str],
) -> tuple[dict[str, list[StoredTensor]], tuple[str, ...]]:
    """For each name of ours the tensors stored for it, and the names that are skipped."""
    copies = {
        name: [stored[known] for known in stored_names(name) if known in stored] for name in shapes
    }
    if missing := [stored_names(name)[0] for name, group in copies.items() if not group]:
        raise CheckpointError(f"missing tensors: {_listing(missing)}")
    used = {tensor.name for group in copies.values() for tensor in group}
    skipped = tuple(sorted(name for name in stored if is_skipped(name)))
    if extra := sorted(stored.keys() - used - set(skipped)):
        raise CheckpointError(f"tensors that the model has no place for: {_listing(extra)}")
    for name, group in copies.items():
        for tensor in group:
            _refuse_unfit(tensor, shapes[name], dtypes)
    return copies, skipped


def _refuse_unfit(tensor: StoredTensor, shape: tuple[int, ...], dtypes: Collection[str]) -> None:
    if tensor.shape != shape:
        raise CheckpointError(
            f"{tensor.name}: shape {list(tensor.shape)}, but config.json asks for {list(shape)}"
        )
    if tensor.dtype not in dtypes:
        raise CheckpointError(f"{tensor.name}: dtype {tensor.dtype}, accepted: {', '.join(dtypes)}")


def _listing(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_LISTED])
    more = len(names) - _LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def _read_ahead(tensor: StoredTensor) -> None:
    """Have the kernel fetch all of a tensor: a copy to a GPU waits for each mapped page by itself.

    See https://github.com/safetensors/safetensors/issues/729, where it waits for most of the time.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    with tensor.path.open("rb") as file:
        os.posix_fadvise(file.fileno(), tensor.start, tensor.nbytes, os.POSIX_FADV_WILLNEED)
