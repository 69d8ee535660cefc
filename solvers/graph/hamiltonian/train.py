"""Train the checkpoint for Hamiltonian cycles: its mixture of graphs, its lanes."""

from __future__ import annotations

from pathlib import Path

from engine.config import ModelConfig
from engine.training.source import Lane
from engine.training.trainer import Trainer
from solvers.graph.hamiltonian.codec import VOCABULARY
from solvers.graph.hamiltonian.data import TourSource
from solvers.graph.network import graph_config
from solvers.training import TrainingOptions, prepare_training


def hamiltonian_lanes(*, canvases: int = 96, compiled: bool = False) -> list[Lane]:
    """Planted cycles through 8 to 32 vertices."""
    return [Lane(TourSource((8, 32), VOCABULARY), 1.0, canvases, compiled)]


def hamiltonian_config(width: int, depth: int) -> ModelConfig:
    """See ``graph_config``."""
    return graph_config("hamiltonian", VOCABULARY, width=width, depth=depth)


def prepare(options: TrainingOptions, folder: Path) -> Trainer:
    """A trainer of the network for Hamiltonian cycles; see ``prepare_training``."""
    lanes = hamiltonian_lanes(canvases=options.canvases, compiled=options.compiled)
    return prepare_training(options, folder, hamiltonian_config, lanes)
