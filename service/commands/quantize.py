"""``inkfill quantize``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from service.commands.console import err, fail, print_line
from service.model_source import ModelSource
from service.settings import SettingsError

if TYPE_CHECKING:
    from engine.precision.conversion import ConversionReport

#: Matrices of a layer -> their heading.
_KINDS = {
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.o_proj": "o",
    "mlp.gate_proj": "gate",
    "mlp.up_proj": "up",
    "mlp.down_proj": "down",
    "experts.gate_up_proj": "experts gate+up",
    "experts.down_proj": "experts down",
}
_CONDITIONING = "self_conditioning."


def quantize(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="Checkpoint folder to read, or a model of the Hugging Face Hub as ORG/NAME or "
            "ORG/NAME@REVISION.",
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write, empty or not there.")
    ],
    precision: Annotated[
        Literal["int4", "int8", "fp8"],
        typer.Option(help="What matrices are kept in: 4 bits, 8 bits, or 8-bit floats."),
    ],
) -> None:
    """Write a smaller checkpoint, whose matrices have 4 or 8 bits a weight.

    Quantised are the matrices of attention, MLPs and experts: int4 with a scale for 128 inputs,
    int8 and fp8 with a scale an output. fp8 rounds what it is multiplied with as well, and is the
    fastest on a Hopper GPU. Embeddings, norms and router stay as they are, and so do configuration,
    tokenizer and chat template. The vision tower is left out. In 4 bits the 26B becomes a little
    over a quarter as large. One part at a time is in memory.

    The table says how much of each matrix is lost, ||W - Q|| / ||W||; OUT/quantization.json says
    it too. Normal weights lose about 0.8% in int8, 2.6% in fp8 and 9.7% in int4; much more is a
    layer to look at. What is quantised cannot be quantised again, nor be loaded by other programs.

    \b
    Example:
    inkfill quantize models/diffusiongemma models/diffusiongemma-int4 --precision int4
    """  # noqa: D301  # click takes a backspace for "do not fold this paragraph"
    # The engine takes seconds to import, which --help need not wait for.
    from engine.checkpoint import CheckpointError
    from engine.config import ConfigError
    from engine.precision.conversion import ConversionError, quantize_checkpoint

    folder = _folder(source)
    try:
        with _progress() as show:
            report = quantize_checkpoint(folder, out, precision, on_progress=show)
    except (CheckpointError, ConfigError, ConversionError, OSError) as error:
        fail(str(error))
    for line in _table(report.relative_errors):
        print_line(line)
    print_line(_summary(report, out))


def _folder(source: str) -> Path:
    """The folder itself, for the engine to say what is wrong with it; or the Hub's, fetched."""
    if "/" not in source or Path(source).exists() or source.startswith((".", "/")):
        return Path(source)
    try:
        return ModelSource.parse(source).fetched()
    except SettingsError as error:
        fail(str(error).replace("models: ", "IN: ", 1))


@contextmanager
def _progress() -> Iterator[Callable[[int, int], object]]:
    """What to tell how many bytes are done, and of how many; shown on a terminal."""
    columns = (
        TextColumn("quantising"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _table(errors: Mapping[str, float]) -> Iterator[str]:
    """A heading and a line a layer, its columns as wide as their longest word."""
    cells: dict[str, dict[str, str]] = {}
    for name, error in errors.items():
        row, kind = _place(name)
        cells.setdefault(row, {})[_KINDS[kind]] = f"{error:.2%}"
    rows = [("layer", *_KINDS.values())]
    rows += [
        (row, *(found.get(kind, "-") for kind in _KINDS.values()))
        for row, found in sorted(
            cells.items(), key=lambda item: (not item[0].isdigit(), item[0].zfill(9))
        )
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        aligned = (word.rjust(width) for word, width in zip(others, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *aligned))


def _place(name: str) -> tuple[str, str]:
    """Row and kind of a parameter; the self-conditioning MLP has the columns of the dense ones."""
    path = name.removesuffix(".weight")
    if path.startswith(_CONDITIONING):
        return "self-conditioning", "mlp." + path.removeprefix(_CONDITIONING)
    _, layer, kind = path.split(".", 2)
    return layer, kind


def _summary(report: ConversionReport, out: Path) -> str:
    before, after = map(decimal, report.nbytes)
    kept = report.quantization.precision.value
    return f"all together {report.relative_error:.2%}; {before} became {after} in {kept}: {out}"
