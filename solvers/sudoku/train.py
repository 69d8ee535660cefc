"""Train the Sudoku checkpoint: its sizes, its mixture of puzzles, its lanes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.config import ModelConfig
from engine.training.source import Lane
from engine.training.trainer import Trainer
from solvers.network import small_config
from solvers.sudoku.codec import VOCABULARY
from solvers.sudoku.data import GeneratedSupply, ListSupply, SudokuSource, read_puzzles
from solvers.sudoku.geometry import MAX_SIZE, geometry
from solvers.training import TrainingOptions, prepare_training

_HEADS = ("row", "row", "column", "column", "box", "box", "all", "all")


def sudoku_config(
    *, width: int = 96, depth: int = 4, head_dim: int = 16, inner: int = 128
) -> ModelConfig:
    """Two heads each for row, column and box, two for everything; see ``small_config``."""
    return small_config(
        "sudoku",
        VOCABULARY,
        _HEADS,
        MAX_SIZE * MAX_SIZE,
        width=width,
        depth=depth,
        head_dim=head_dim,
        inner=inner,
    )


def sudoku_lanes(
    extra: Sequence[tuple[Path, float]] = (), *, canvases: int = 96, compiled: bool = False
) -> list[Lane]:
    """9 x 9 in the main lane; small shares of other sizes, so that their digits are learned too.

    Args:
        extra: lists that join the 9 x 9 mixture, each with its share; generated puzzles of 22 to
            45 clues have 0.35 and minimal ones 0.25.
        canvases: kept alive in the main lane.
        compiled: whether the main lane's step goes through ``torch.compile``.
    """
    classic = geometry(3, 3)
    listed = [(share, ListSupply(read_puzzles(path, classic))) for path, share in extra]
    main = SudokuSource(
        classic,
        [
            (0.35, GeneratedSupply(classic, (22, 45))),
            (0.25, GeneratedSupply(classic, None)),
            *listed,
        ],
        VOCABULARY,
    )
    lanes = [Lane(main, 0.94, canvases, compiled)]
    for (box_rows, box_cols), share, clues in (
        ((2, 2), 0.015, None),
        ((2, 3), 0.025, None),
        ((4, 4), 0.02, (130, 220)),
    ):
        shape = geometry(box_rows, box_cols)
        supply = GeneratedSupply(shape, clues, chunk=16)
        count = max(8, canvases * classic.cells // max(shape.cells, classic.cells) // 2)
        lanes.append(Lane(SudokuSource(shape, [(1.0, supply)], VOCABULARY), share, count))
    return lanes


def prepare(
    options: TrainingOptions, folder: Path, extra: Sequence[tuple[Path, float]] = ()
) -> Trainer:
    """A trainer that goes on from the state in ``folder``, if there is one.

    Args:
        options: what the run chose.
        folder: made if need be.
        extra: lists of training puzzles with their shares; see ``sudoku_lanes``.

    Raises:
        ValueError: an extra list is malformed; and see ``prepare_training``.
        OSError: a list cannot be read or the folder cannot be written.
    """
    lanes = sudoku_lanes(extra, canvases=options.canvases, compiled=options.compiled)

    def config(width: int, depth: int) -> ModelConfig:
        return sudoku_config(width=width, depth=depth)

    return prepare_training(options, folder, config, lanes)
