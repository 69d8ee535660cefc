"""The shape of a Sudoku: its boxes, its units, who sees whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from engine.relations import Relations

MIN_SIZE, MAX_SIZE = 4, 16


@dataclass(frozen=True)
class Geometry:
    """A grid of ``size`` x ``size`` cells cut into boxes of ``box_rows`` x ``box_cols``.

    Attributes:
        box_rows: height of a box in cells, at least 1.
        box_cols: width of a box in cells, at least 1.

    Raises:
        ValueError: the grid would be smaller than 4 x 4 or larger than 16 x 16.
    """

    box_rows: int = 3
    box_cols: int = 3

    def __post_init__(self) -> None:
        if self.box_rows < 1 or self.box_cols < 1 or not MIN_SIZE <= self.size <= MAX_SIZE:
            raise ValueError(
                f"boxes of {self.box_rows} x {self.box_cols}: box_rows * box_cols must be "
                f"{MIN_SIZE} to {MAX_SIZE}, each at least 1"
            )

    @property
    def size(self) -> int:
        """Digits, and cells in a row, a column and a box."""
        return self.box_rows * self.box_cols

    @property
    def cells(self) -> int:
        """Cells in the grid."""
        return self.size * self.size

    @cached_property
    def unit_of(self) -> dict[str, npt.NDArray[np.int64]]:
        """``row``, ``column`` and ``box``: the index of each cell's unit, int64 [cells]."""
        row, column = np.divmod(np.arange(self.cells), self.size)
        boxes_across = self.size // self.box_cols
        box = row // self.box_rows * boxes_across + column // self.box_cols
        return {"row": row, "column": column, "box": box}

    @cached_property
    def units(self) -> npt.NDArray[np.int64]:
        """Cells of every row, then column, then box, int64 [3 size, size]."""
        order = [np.argsort(u, kind="stable").reshape(-1, self.size) for u in self.unit_of.values()]
        return np.concatenate(order)

    @cached_property
    def relations(self) -> Relations:
        """Row, column and box as relations of the canvas."""
        return Relations(
            self.cells, {name: u[:, None] == u[None, :] for name, u in self.unit_of.items()}
        )


@cache
def geometry(box_rows: int, box_cols: int) -> Geometry:
    """The shared geometry of a box shape, so that its relations are built once."""
    return Geometry(box_rows, box_cols)
