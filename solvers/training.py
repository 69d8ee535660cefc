"""Train a checkpoint of any solver: what a run may choose, and a trainer that goes on from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numba
import torch

from engine.checkpoint import load_checkpoint
from engine.config import ModelConfig
from engine.model import DiffusionGemma
from engine.training.rollout import RolloutSettings
from engine.training.source import Lane
from engine.training.trainer import Trainer, TrainSettings


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What a training run may choose.

    Attributes:
        budget_s: wall-clock seconds, earlier runs in the same folder counted in.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: CPU threads; None for PyTorch's choice.
        canvases: kept alive in the main lane.
        horizon: steps after which a live canvas is replaced.
        start: a checkpoint of the same task whose weights a new run begins with; None draws them.
        width, depth: of a model whose weights are drawn.
        learning_rate: its peak.
        compiled: whether the main lane's step goes through ``torch.compile``.
        seed: of weights, data and noise.
    """

    budget_s: float
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


def prepare_training(
    options: TrainingOptions,
    folder: Path,
    config: Callable[[int, int], ModelConfig],
    lanes: Sequence[Lane],
) -> Trainer:
    """A trainer that goes on from the state in ``folder``, if there is one.

    Args:
        options: what the run chose.
        folder: made if need be.
        config: of the network, from its width and depth.
        lanes: of training problems.

    Raises:
        ValueError: the state is of a model of other sizes, the checkpoint to begin with cannot be
            read or is for another task, or there is no GPU.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
        numba.set_num_threads(min(options.threads, numba.get_num_threads()))
    settings = TrainSettings(
        budget_s=options.budget_s,
        learning_rate=options.learning_rate,
        rollout=RolloutSettings(horizon=options.horizon),
        seed=options.seed,
    )
    trainer = Trainer(_new_model(options, config), lanes, settings)
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


def _new_model(
    options: TrainingOptions, config: Callable[[int, int], ModelConfig]
) -> DiffusionGemma:
    wanted, drawn = options.device, config(options.width, options.depth)
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: got 'cuda', which PyTorch does not find; accepted: cpu")
    if options.start is not None:
        return _started_model(options.start, wanted, drawn.task)
    model = DiffusionGemma(drawn)
    model.init_weights(torch.Generator().manual_seed(options.seed))
    return model.to(wanted)


def _started_model(folder: Path, device: str, task: str) -> DiffusionGemma:
    """The model of a checkpoint, ready to learn on."""
    checkpoint = load_checkpoint(folder, device)
    if checkpoint.config.task != task:
        raise ValueError(f"{folder} is a checkpoint for {checkpoint.config.task}, not for {task}")
    return checkpoint.model.train().requires_grad_(True)
