"""Puzzles as text: parse what people paste, print lines, read files with one puzzle a line."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from solvers.problem_error import ProblemError
from solvers.sudoku.problem import SudokuProblem

#: ``_SYMBOLS[d]`` is digit d in one character; the first is a blank.
_SYMBOLS = ".123456789ABCDEFG"
_BLANKS = ".0_*·"
#: Drawn between cells: spaces, and the rules of a grid.
_RULES = r"\s|+\-│─┼"
_ACCEPTED = "digits 1 to 9, letters A to G for 10 to 16, '.', '0', '_' or '*' for a blank"
#: Box shape by number of cells, when none is named.
_BOXES = {
    16: (2, 2),
    36: (2, 3),
    64: (2, 4),
    81: (3, 3),
    100: (2, 5),
    144: (3, 4),
    225: (3, 5),
    256: (4, 4),
}
#: The column of a CSV file that holds puzzles.
_COLUMN = "puzzle"


class _Cell(NamedTuple):
    text: str
    offset: int


def parse_puzzle(
    text: str, box_rows: int | None = None, box_cols: int | None = None
) -> SudokuProblem:
    """Read one puzzle.

    One character a cell, row by row: digits, then letters (A = 10), and ``.``, ``0``, ``_`` or
    ``*`` for a blank; spaces, line ends and the rules ``|``, ``-``, ``+`` are skipped. Or numbers
    between commas or spaces, which is how grids larger than 9 x 9 are often written.

    Args:
        text: the puzzle.
        box_rows: height of a box; with None for both sides, the number of cells decides.
        box_cols: width of a box.

    Raises:
        ProblemError: ``puzzle`` names the character at fault or the number of cells;
            ``box_rows`` or ``box_cols`` is missing or out of range.
    """
    if (box_rows is None) != (box_cols is None):
        missing = "box_rows" if box_rows is None else "box_cols"
        raise ProblemError(missing, "give both sides of a box or neither")
    named = None if box_rows is None or box_cols is None else (box_rows, box_cols)
    cells = _cells(text, named)
    digits = [_digit(cell, text) for cell in cells]
    shape = named or _box_for(len(cells))
    size = shape[0] * shape[1]
    for cell, digit in zip(cells, digits, strict=True):
        if digit > size >= 1:
            raise _error_at(text, cell, f"1 to {size} in a grid of {size} x {size}")
    return SudokuProblem.create(digits, *shape)


def format_line(grid: Sequence[int]) -> str:
    """One character a cell, ``.`` for 0; ``parse_puzzle`` reads it back."""
    return "".join(_SYMBOLS[digit] for digit in grid)


def read_lines(source: Path | str | Iterable[str]) -> Iterator[tuple[int, str]]:
    """The puzzles of a file with one a line, each with its line number, from 1.

    Blank lines and those that start with ``#`` are skipped. A CSV file is one whose first line
    names a column ``puzzle``, or whose first field holds a whole puzzle.

    Args:
        source: a path, gzipped if it ends in ``.gz``, or an open text stream.

    Raises:
        OSError: the file cannot be read.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        opener = gzip.open if path.suffix == ".gz" else open
        # A byte that is no UTF-8 becomes a character that parse_puzzle refuses, with its place.
        with opener(path, "rt", encoding="utf-8-sig", errors="replace") as stream:
            yield from _puzzle_lines(stream)
    else:
        yield from _puzzle_lines(source)


def _puzzle_lines(stream: Iterable[str]) -> Iterator[tuple[int, str]]:
    lines = ((number, line.strip()) for number, line in enumerate(stream, start=1))
    kept = ((number, line) for number, line in lines if line and not line.startswith("#"))
    column: int | None = None
    for index, (number, line) in enumerate(kept):
        names = [name.strip(' "').lower() for name in line.split(",")]
        if index == 0 and _COLUMN in names:
            column = names.index(_COLUMN)
        else:
            yield number, _puzzle_field(line, column)


def _puzzle_field(line: str, column: int | None) -> str:
    """The puzzle of a line; without a named column, the whole line or a first field of its own."""
    if "," not in line:
        return line
    try:
        fields = next(csv.reader([line]))
    except csv.Error:  # a field beyond the reader's limit is no puzzle; let the parser say so
        return line
    if column is not None:
        return fields[column] if column < len(fields) else ""
    return fields[0] if len(fields[0]) >= min(_BOXES) else line


def _cells(text: str, box: tuple[int, int] | None) -> list[_Cell]:
    """Split into cells; the text alone tells characters from numbers."""
    words = [_Cell(match[0], match.start()) for match in re.finditer(f"[^{_RULES}]+", text)]
    if "," in text:
        _refuse(re.search(r",\s*,", text), text, "a number, or 0 or '.' for a blank")
    elif not _are_numbers(words, box):
        return [_Cell(c, word.offset + i) for word in words for i, c in enumerate(word.text)]
    _refuse(re.search(r"-\d+", text), text, "numbers from 0")
    return [_Cell(match[0], match.start()) for match in re.finditer(f"[^,{_RULES}]+", text)]


def _are_numbers(words: Sequence[_Cell], box: tuple[int, int] | None) -> bool:
    """Whether words between spaces are numbers: as many as cells, and one of them above 9."""
    counts = _BOXES if box is None else {(box[0] * box[1]) ** 2}
    above_9 = any(len(word.text) == 2 and word.text.isdecimal() for word in words)
    return above_9 and len(words) in counts and all(len(word.text) <= 2 for word in words)


def _digit(cell: _Cell, text: str) -> int:
    """The digit of a cell, 0 for a blank."""
    symbol = cell.text.upper()
    if len(symbol) == 1 and symbol in _BLANKS:
        return 0
    if len(symbol) == 1 and symbol in _SYMBOLS:
        return _SYMBOLS.index(symbol)
    if re.fullmatch(r"[0-9]{2}", cell.text):
        return int(cell.text)
    raise _error_at(text, cell, _ACCEPTED)


def _box_for(cells: int) -> tuple[int, int]:
    if cells not in _BOXES:
        sizes = ", ".join(str(count) for count in _BOXES)
        raise ProblemError(
            "puzzle", f"got {cells} cells, accepted: {sizes}; other shapes need their box named"
        )
    return _BOXES[cells]


def _refuse(match: re.Match[str] | None, text: str, accepted: str) -> None:
    if match is not None:
        raise _error_at(text, _Cell(match[0], match.start()), accepted)


def _error_at(text: str, cell: _Cell, accepted: str) -> ProblemError:
    line = text.count("\n", 0, cell.offset) + 1
    column = cell.offset - (text.rfind("\n", 0, cell.offset) + 1) + 1
    shown = cell.text if len(cell.text) <= 12 else cell.text[:12] + "..."
    where = f"character {cell.offset + 1}"
    if "\n" in text:
        where += f" (line {line}, column {column})"
    return ProblemError("puzzle", f"{where}: got {shown!r}, accepted: {accepted}")
