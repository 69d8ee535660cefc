"""A Sudoku and its answer as frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solvers.problem_error import ProblemError
from solvers.sudoku.geometry import Geometry, geometry


@dataclass(frozen=True)
class SudokuProblem:
    """A grid with blanks.

    Attributes:
        geometry: its shape.
        cells: row by row, 0 for a blank, else a digit from 1 to ``geometry.size``.
    """

    geometry: Geometry
    cells: tuple[int, ...]

    @classmethod
    def create(cls, cells: Sequence[int], box_rows: int = 3, box_cols: int = 3) -> SudokuProblem:
        """Build a problem from plain numbers.

        Raises:
            ProblemError: the box shape, the number of cells or a digit is out of range.
        """
        try:
            shape = geometry(box_rows, box_cols)
        except ValueError as error:
            raise ProblemError("box_rows", str(error)) from None
        if len(cells) != shape.cells:
            raise ProblemError(
                "cells",
                f"got {len(cells)}, accepted: {shape.cells} for boxes of {box_rows} x {box_cols}",
            )
        for index, digit in enumerate(cells):
            if not 0 <= digit <= shape.size:
                raise ProblemError(
                    f"cells[{index}]", f"got {digit}, accepted: 0 (blank) to {shape.size}"
                )
        return cls(shape, tuple(cells))

    def conflicts(self) -> tuple[int, ...]:
        """Cells whose clue stands twice in a row, column or box, ascending."""
        clashing: set[int] = set()
        for unit in self.geometry.units.tolist():
            by_digit: dict[int, list[int]] = {}
            for cell in unit:
                if self.cells[cell]:
                    by_digit.setdefault(self.cells[cell], []).append(cell)
            clashing.update(c for same in by_digit.values() if len(same) > 1 for c in same)
        return tuple(sorted(clashing))


#: A full grid, row by row.
Grid = tuple[int, ...]
