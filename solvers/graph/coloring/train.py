"""Train the colouring checkpoint: its mixture of graphs, its lanes."""

from __future__ import annotations

from pathlib import Path

from engine.config import ModelConfig
from engine.training.source import Lane
from engine.training.trainer import Trainer
from solvers.graph.coloring.codec import VOCABULARY
from solvers.graph.coloring.data import ColoringSource
from solvers.graph.network import graph_config
from solvers.training import TrainingOptions, prepare_training


def coloring_lanes(*, canvases: int = 96, compiled: bool = False) -> list[Lane]:
    """Graphs of 24 to 52 vertices in the main lane, some of 53 to 128 beside it."""
    small, large = ColoringSource((24, 52), VOCABULARY), ColoringSource((53, 128), VOCABULARY)
    return [
        Lane(small, 0.95, canvases, compiled),
        Lane(large, 0.05, max(8, canvases // 4)),
    ]


def coloring_config(width: int, depth: int) -> ModelConfig:
    """See ``graph_config``."""
    return graph_config("coloring", VOCABULARY, width=width, depth=depth)


def prepare(options: TrainingOptions, folder: Path) -> Trainer:
    """A trainer of the colouring network; see ``prepare_training``."""
    lanes = coloring_lanes(canvases=options.canvases, compiled=options.compiled)
    return prepare_training(options, folder, coloring_config, lanes)
