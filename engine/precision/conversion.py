"""Makes a quantised checkpoint of one that holds floats.

One shard of what is written is held in memory at a time, and one tensor of what is read.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.checkpoint import CONFIG_FILE, GENERATION_FILE, StoredCheckpoint
from engine.precision.precision import Precision
from engine.precision.quantization import KEY, QUANTIZED, SCALES, VALUES, Quantization, is_quantized
from engine.precision.quantize import quantize, squared_error
from engine.stored_weights import StoredWeights
from engine.tensor_names import stored_names
from engine.weight_files import CheckpointError
from engine.weight_writing import MAX_SHARD_BYTES, Portion, write_json, write_weights

REPORT_FILE = "quantization.json"
#: Copied as they are, those that there are.
COMPANIONS = (
    GENERATION_FILE,
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)


class ConversionError(ValueError):
    """What cannot be converted, and why."""


@dataclass(frozen=True, eq=False)
class ConversionReport:
    """What became of the weights.

    Attributes:
        quantization: what they are kept in now.
        nbytes: of all weights: as they were, and as they are now.
        errors: squared error and squared norm of each quantised matrix, by our names.
        digest: of the checkpoint that was read.
    """

    quantization: Quantization
    nbytes: tuple[int, int]
    errors: Mapping[str, tuple[float, float]]
    digest: str

    @property
    def relative_errors(self) -> dict[str, float]:
        """``||W - Q|| / ||W||`` of each matrix, by our names; 0 for one of zeros."""
        return {name: _relative(*error) for name, error in self.errors.items()}

    @property
    def relative_error(self) -> float:
        """Of all quantised matrices together."""
        lost, size = (sum(part) for part in zip(*self.errors.values(), strict=True))
        return _relative(lost, size)

    def to_json(self) -> dict[str, Any]:
        """What ``REPORT_FILE`` says."""
        return self.quantization.to_json() | {
            "source_digest": self.digest,
            "source_bytes": self.nbytes[0],
            "bytes": self.nbytes[1],
            "relative_error": self.relative_error,
            "relative_errors": self.relative_errors,
        }


def quantize_checkpoint(
    source: Path,
    out: Path,
    precision: str,
    *,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> ConversionReport:
    """Write a quantised checkpoint to ``out``; ``config.json`` comes last and makes it one.

    Args:
        source: a checkpoint folder whose weights are floats.
        out: a folder that is empty or not there.
        precision: ``int4``, ``int8`` or ``fp8``.
        on_progress: told how many bytes of the source are read, and how many there are.
        max_shard_bytes: see ``engine.weight_writing.write_weights``.

    Raises:
        ConversionError: an unknown precision, an ``out`` that is ``source`` or not empty, a source
            that is quantised, or a matrix that cannot be.
        CheckpointError: see ``StoredCheckpoint.open``; or tied copies differ.
        ConfigError: ``config.json`` asks for something unsupported.
    """
    if precision not in QUANTIZED:
        raise ConversionError(f"precision: got {precision!r}, accepted: {', '.join(QUANTIZED)}")
    _refuse_out(source, out)
    stored = StoredCheckpoint.open(source)
    if stored.quantization is not None:
        was = stored.quantization.precision.value
        raise ConversionError(
            f"{source} is quantised to {was} already; quantise the checkpoint that it was made from"
        )
    work = _Conversion(stored.weights, QUANTIZED[precision], on_progress)
    portions = work.portions()
    with _emptied_on_failure(out):
        write_weights(out, portions, max_shard_bytes)
        report = ConversionReport(
            quantization=work.quantization,
            nbytes=(stored.weights.nbytes, sum(portion.nbytes for portion in portions)),
            errors=work.errors,
            digest=stored.weights.digest(),
        )
        for name in COMPANIONS:
            if (source / name).is_file():
                shutil.copyfile(source / name, out / name)
        write_json(out / REPORT_FILE, report.to_json())
        config = json.loads((source / CONFIG_FILE).read_text(encoding="utf-8"))
        write_json(out / CONFIG_FILE, config | {KEY: work.quantization.to_json()})
    return report


@dataclass(eq=False)
class _Conversion:
    """The tensors of a checkpoint, each quantised when its file is written."""

    weights: StoredWeights
    precision: Precision
    on_progress: Callable[[int, int], object]
    errors: dict[str, tuple[float, float]] = field(default_factory=dict)
    done: int = 0

    @property
    def quantization(self) -> Quantization:
        return Quantization(self.precision)

    def portions(self) -> list[Portion]:
        return [self._quantized(n) if is_quantized(n) else self._copied(n) for n in self.weights]

    def _copied(self, name: str) -> Portion:
        stored = stored_names(name)[0]
        return Portion((stored,), self._nbytes(name), lambda: {stored: self._read(name)})

    def _quantized(self, name: str) -> Portion:
        stored, shape = stored_names(name)[0], self.weights[name]
        values, scales = stored + VALUES, stored + SCALES
        try:
            self.precision.refuse(shape[-1])
        except ValueError as error:
            raise ConversionError(f"{stored}: {error}") from None

        def make() -> dict[str, Tensor]:
            tensor = self._read(name)
            try:
                weight = quantize(tensor, self.precision)
            except ValueError as error:
                raise ConversionError(f"{stored}: {error}") from None
            assert weight.scales is not None
            self.errors[name] = squared_error(tensor, weight)
            return {values: weight.values, scales: weight.scales}

        return Portion((values, scales), self.quantization.nbytes(shape), make)

    def _read(self, name: str) -> Tensor:
        self.done += self._nbytes(name)
        self.on_progress(self.done, self.weights.nbytes)
        return self.weights.tensor(name)

    def _nbytes(self, name: str) -> int:
        return math.prod(self.weights[name]) * self.weights.dtype(name).itemsize


def _refuse_out(source: Path, out: Path) -> None:
    if out.resolve() == source.resolve():
        raise ConversionError(f"{out} is the checkpoint itself; name another folder to write to")
    if out.exists() and not out.is_dir():
        raise ConversionError(f"{out} is not a folder")
    if out.is_dir() and any(out.iterdir()):
        raise ConversionError(f"{out} is not empty; name a folder that is empty or not there")
    if not source.is_dir():
        raise CheckpointError(f"{source} is not a folder; expected a checkpoint folder")


@contextmanager
def _emptied_on_failure(folder: Path) -> Iterator[None]:
    """A folder, made if need be, in which nothing stays that was not finished."""
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in folder.iterdir():  # files only, for it was empty
            path.unlink()
        if made:
            folder.rmdir()
        raise


def _relative(lost: float, size: float) -> float:
    return (lost / size) ** 0.5 if size else 0.0
