"""Grids for people: a Sudoku as it denoises, drawn in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from solvers.sudoku.geometry import Geometry

_CLUE = Style(bold=True)
_ACCEPTED = Style(color="green")
_CONFLICT = Style(color="red", bold=True)
#: Between grids on one line.
_GAP = " " * 4
#: From certain to clueless.
_DOUBT = ("#d7af00", "#af8700", "#875f00", "#5f5f5f", "#444444")


def grid_text(
    geometry: Geometry,
    cells: Sequence[int],
    clues: Sequence[int],
    accepted: Sequence[bool] = (),
    entropy: Sequence[float] = (),
    conflicts: Sequence[int] = (),
) -> Text:
    """A grid with rules between boxes.

    Clues are bold, accepted cells green, the others fade with their entropy, conflicts are red.

    Args:
        geometry: the grid.
        cells: digits, 0 shown as a dot.
        clues: the puzzle, 0 where it is blank.
        accepted: per cell; empty for a finished grid.
        entropy: per cell, nats; empty for a finished grid.
        conflicts: cells to mark.
    """
    size, width = geometry.size, len(str(geometry.size))
    wrong = set(conflicts)
    text = Text()
    for row in range(size):
        if row and row % geometry.box_rows == 0:
            text.append(_rule(geometry, width) + "\n", "dim")
        for column in range(size):
            if column and column % geometry.box_cols == 0:
                text.append(" │", "dim")
            cell = row * size + column
            style = _style(cell, clues, accepted, entropy, wrong)
            text.append(f" {cells[cell] or '·':>{width}}", style)
        text.append("\n")
    return text


def beside(*columns: tuple[str, Text], width: int) -> Text:
    """Titled grids next to each other, or below each other where they are wider than ``width``.

    No line ends in blanks.

    Args:
        columns: titles and grids, lines ended by line feeds.
        width: characters of a line.
    """
    blocks = [[Text(f" {title}", "bold"), *grid.split()] for title, grid in columns]
    widths = [max(line.cell_len for line in block) for block in blocks]
    if sum(widths) + len(_GAP) * (len(blocks) - 1) > width:
        return Text("\n").join(Text("\n").join(block) for block in blocks).append("\n")
    drawn = Text()
    for row in zip(*blocks, strict=True):
        for line, filled in zip(row[:-1], widths[:-1], strict=True):
            drawn.append_text(line).append(" " * (filled - line.cell_len) + _GAP)
        drawn.append_text(row[-1]).append("\n")
    return drawn


def _style(
    cell: int,
    clues: Sequence[int],
    accepted: Sequence[bool],
    entropy: Sequence[float],
    wrong: set[int],
) -> Style:
    if cell in wrong:
        return _CONFLICT
    if clues[cell]:
        return _CLUE
    if not accepted or accepted[cell]:
        return _ACCEPTED
    level = min(len(_DOUBT) - 1, int(entropy[cell] * 3)) if entropy else 0
    return Style(color=_DOUBT[level])


def _rule(geometry: Geometry, width: int) -> str:
    box = "─" * ((width + 1) * geometry.box_cols + 1)
    count = geometry.size // geometry.box_cols
    return "┼".join([box] * count)[: (width + 1) * geometry.size + 2 * (count - 1) + 1]
