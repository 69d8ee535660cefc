"""Training data: generated puzzles, lists from files, and the symmetries that multiply both."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.relations import Relations
from engine.training.source import Problems
from solvers.sudoku.generator import Cells, PuzzleBatch, generate
from solvers.sudoku.geometry import Geometry

#: ``draw(count, seed)`` -> puzzles.
PuzzleSupply = Callable[[int, int], PuzzleBatch]
_CHUNK = 128


def read_puzzles(path: Path, geometry: Geometry) -> PuzzleBatch:
    """Read a CSV, gzipped or not, with columns ``puzzle`` and ``solution`` of one digit a cell.

    Raises:
        ValueError: the columns or all lines are missing, or a line holds no puzzle of this size
            with its solution. The solution is not checked beyond its clues.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"puzzle", "solution"} <= set(reader.fieldnames or ()):
            raise ValueError(
                f"{path}: expected columns 'puzzle' and 'solution', got {reader.fieldnames}"
            )
        rows = [((row["puzzle"] or "").replace(".", "0"), row["solution"] or "") for row in reader]
    if not rows:
        raise ValueError(f"{path}: no puzzles")
    for number, row in enumerate(rows, start=2):
        if any(not _are_digits(text, geometry.cells) for text in row):
            raise ValueError(f"{path}, line {number}: expected {geometry.cells} digits a column")
    puzzles, solutions = (_digits(column) for column in zip(*rows, strict=True))
    batch = PuzzleBatch(puzzles.reshape(len(rows), -1), solutions.reshape(len(rows), -1))
    wrong = _misfits(batch, geometry.size)
    if wrong.any():
        raise ValueError(
            f"{path}, line {int(wrong.argmax()) + 2}: the solution does not keep every clue, or a "
            f"digit is not 1 to {geometry.size}"
        )
    return batch


def _are_digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()


def _misfits(batch: PuzzleBatch, size: int) -> npt.NDArray[np.bool_]:
    """Bool [count]: where the solution has other digits than 1 to ``size``, or other clues."""
    other = (batch.puzzles > 0) & (batch.puzzles != batch.solutions)
    outside = (batch.solutions < 1) | (batch.solutions > size)
    return (other | outside).any(axis=1)  # type: ignore[no-any-return]


def _digits(texts: Sequence[str]) -> Cells:
    return np.frombuffer("".join(texts).encode("ascii"), np.uint8).astype(np.int8) - 48


@dataclass
class ListSupply:
    """Puzzles drawn at random from a list."""

    puzzles: PuzzleBatch

    def __call__(self, count: int, seed: int) -> PuzzleBatch:
        """Draw ``count`` with replacement."""
        chosen = np.random.default_rng(seed).integers(0, len(self.puzzles.puzzles), count)
        return PuzzleBatch(self.puzzles.puzzles[chosen], self.puzzles.solutions[chosen])


@dataclass
class GeneratedSupply:
    """Freshly generated puzzles, made a chunk at a time because compiled loops like chunks."""

    geometry: Geometry
    clues: tuple[int, int] | None
    chunk: int = _CHUNK
    _stock: list[PuzzleBatch] = field(default_factory=list)

    def __call__(self, count: int, seed: int) -> PuzzleBatch:
        """Take ``count`` from the stock, filling it as needed."""
        have = sum(len(batch.puzzles) for batch in self._stock)
        if have < count:
            self._stock.append(generate(self.geometry, max(self.chunk, count), seed, self.clues))
        puzzles = np.concatenate([batch.puzzles for batch in self._stock])
        solutions = np.concatenate([batch.solutions for batch in self._stock])
        self._stock = [PuzzleBatch(puzzles[count:], solutions[count:])]
        return PuzzleBatch(puzzles[:count], solutions[:count])


@dataclass(frozen=True)
class SudokuSource:
    """A mixture of supplies for one geometry, each draw moved by a random symmetry.

    Attributes:
        geometry: the grid.
        supplies: (share, supply) pairs.
        vocabulary: V of the model; token d is digit d, token 0 is never allowed.
    """

    geometry: Geometry
    supplies: Sequence[tuple[float, PuzzleSupply]]
    vocabulary: int

    @property
    def relations(self) -> Relations:
        """Row, column and box."""
        return self.geometry.relations

    def draw(self, count: int, rng: np.random.Generator) -> Problems:
        """See ``TrainingSource.draw``."""
        shares = np.array([share for share, _ in self.supplies])
        counts = rng.multinomial(count, shares / shares.sum())
        parts = [
            supply(int(n), int(rng.integers(2**62)))
            for n, (_, supply) in zip(counts, self.supplies, strict=True)
            if n
        ]
        puzzles, solutions = transform(
            np.concatenate([p.puzzles for p in parts]),
            np.concatenate([p.solutions for p in parts]),
            self.geometry,
            rng,
        )
        labels = torch.from_numpy(solutions.astype(np.int64))
        free_domain = torch.zeros(self.vocabulary, dtype=torch.bool)
        free_domain[1 : self.geometry.size + 1] = True
        return Problems.clamping(labels, torch.from_numpy(puzzles > 0), free_domain)

    def labels_for(self, problems: Problems, draft: Tensor) -> Tensor:  # noqa: ARG002
        """The one solution; see ``TrainingSource.labels_for``."""
        return problems.labels


def transform(
    puzzles: Cells, solutions: Cells, geometry: Geometry, rng: np.random.Generator
) -> tuple[Cells, Cells]:
    """Apply a random symmetry to each puzzle and its solution.

    Relabels digits, permutes bands, stacks, and rows and columns within them; transposes where
    boxes are square. Also shuffles the order of the batch.
    """
    count, size = len(puzzles), geometry.size
    bands, stacks = size // geometry.box_rows, size // geometry.box_cols
    rows = _block_permutations(count, bands, geometry.box_rows, rng)
    cols = _block_permutations(count, stacks, geometry.box_cols, rng)
    cells = rows[:, :, None] * size + cols[:, None, :]
    if geometry.box_rows == geometry.box_cols:
        flip = rng.random(count) < 0.5
        cells = np.where(flip[:, None, None], cells.transpose(0, 2, 1), cells)
    cells = cells.reshape(count, -1)[rng.permutation(count)]
    relabel = np.zeros((count, size + 1), np.int8)
    relabel[:, 1:] = rng.permuted(
        np.tile(np.arange(1, size + 1, dtype=np.int8), (count, 1)), axis=1
    )
    order = rng.permutation(count)

    def move(grids: Cells) -> Cells:
        moved = np.take_along_axis(grids[order], cells, axis=1)
        return np.take_along_axis(relabel, moved.astype(np.int64), axis=1)

    return move(puzzles), move(solutions)


def _block_permutations(
    count: int, blocks: int, size: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Permutations of blocks * size lines that keep blocks together, int64 [count, lines]."""
    outer = rng.permuted(np.tile(np.arange(blocks), (count, 1)), axis=1)
    inner = rng.permuted(np.tile(np.arange(size), (count, blocks, 1)), axis=2)
    lines: npt.NDArray[np.int64] = (outer[:, :, None] * size + inner).reshape(count, -1)
    return lines
