"""Train the Sudoku checkpoint: its sizes, its mixture of puzzles, its lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numba
import torch

from engine.checkpoint import load_checkpoint
from engine.config import LayerConfig, ModelConfig, RelationConfig
from engine.model import DiffusionGemma
from engine.training.rollout import RolloutSettings
from engine.training.source import Lane
from engine.training.trainer import Trainer, TrainSettings
from solvers.sudoku.codec import VOCABULARY
from solvers.sudoku.data import GeneratedSupply, ListSupply, SudokuSource, read_puzzles
from solvers.sudoku.geometry import MAX_SIZE, geometry

_HEADS = ("row", "row", "column", "column", "box", "box", "all", "all")


def sudoku_config(
    *, width: int = 96, depth: int = 4, head_dim: int = 16, dense: int = 128, expert: int = 128
) -> ModelConfig:
    """The Sudoku network: two heads each for row, column and box, two for everything."""
    layers = tuple(
        LayerConfig(
            layer_type="full_attention" if i == depth - 1 else "sliding_attention",
            head_dim=head_dim,
            num_key_value_heads=len(_HEADS),
        )
        for i in range(depth)
    )
    return ModelConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=dense,
        moe_intermediate_size=expert,
        num_attention_heads=len(_HEADS),
        num_experts=1,
        top_k_experts=1,
        layers=layers,
        sliding_window=MAX_SIZE * MAX_SIZE,
        initializer_range=width**-0.5,
        eos_token_id=(),
        bos_token_id=None,
        relations=RelationConfig(
            names=("row", "column", "box"),
            heads={"sliding_attention": _HEADS, "full_attention": _HEADS},
        ),
        positions="none",
        first_belief="uniform",
        task="sudoku",
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


@dataclass(frozen=True, kw_only=True)
class SudokuTraining:
    """What a training run may choose.

    Attributes:
        budget_s: wall-clock seconds, earlier runs in the same folder counted in.
        extra: lists of training puzzles with their shares; see ``sudoku_lanes``.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: CPU threads; None for PyTorch's choice.
        canvases: kept alive in the main lane.
        horizon: steps after which a live canvas is replaced.
        start: a Sudoku checkpoint whose weights a new run begins with; None draws them.
        width, depth: of a model whose weights are drawn.
        learning_rate: its peak.
        compiled: whether the main lane's step goes through ``torch.compile``.
        seed: of weights, data and noise.
    """

    budget_s: float
    extra: tuple[tuple[Path, float], ...] = ()
    device: str = "auto"
    threads: int | None = None
    canvases: int = 96
    horizon: int = 16
    start: Path | None = None
    width: int = 96
    depth: int = 4
    learning_rate: float = 2e-3
    compiled: bool = False
    seed: int = 0


def prepare(options: SudokuTraining, folder: Path) -> Trainer:
    """A trainer that goes on from the state in ``folder``, if there is one.

    Raises:
        ValueError: an extra list is malformed, the state is of a model of other sizes, the
            checkpoint to begin with cannot be read or is for another task, or there is no GPU.
        OSError: a list cannot be read or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
        numba.set_num_threads(min(options.threads, numba.get_num_threads()))
    lanes = sudoku_lanes(options.extra, canvases=options.canvases, compiled=options.compiled)
    settings = TrainSettings(
        budget_s=options.budget_s,
        learning_rate=options.learning_rate,
        rollout=RolloutSettings(horizon=options.horizon),
        seed=options.seed,
    )
    trainer = Trainer(_new_model(options), lanes, settings)
    state = folder / "state.pt"
    if state.exists():
        try:
            trainer.load(state)
        except RuntimeError as error:
            raise ValueError(
                f"{state} holds a model of other sizes; use its --width and --depth (or --start), "
                f"or another folder ({error})"
            ) from None
    return trainer


def _new_model(options: SudokuTraining) -> DiffusionGemma:
    wanted = options.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: got 'cuda', which PyTorch does not find; accepted: cpu")
    if options.start is not None:
        return _started_model(options.start, wanted)
    model = DiffusionGemma(sudoku_config(width=options.width, depth=options.depth))
    model.init_weights(torch.Generator().manual_seed(options.seed))
    return model.to(wanted)


def _started_model(folder: Path, device: str) -> DiffusionGemma:
    """The model of a checkpoint, ready to learn on."""
    checkpoint = load_checkpoint(folder, device)
    if checkpoint.config.task != "sudoku":
        raise ValueError(f"{folder} is a checkpoint for {checkpoint.config.task}, not for sudoku")
    return checkpoint.model.train().requires_grad_(True)
