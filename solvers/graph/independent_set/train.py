"""Train the independent-set checkpoint: its mixture of graphs, its lanes."""

from __future__ import annotations

from pathlib import Path

from engine.config import ModelConfig
from engine.training.source import Lane
from engine.training.trainer import Trainer
from solvers.graph.independent_set.codec import VOCABULARY
from solvers.graph.independent_set.data import IndependentSetSource
from solvers.graph.network import graph_config
from solvers.training import TrainingOptions, prepare_training


def independent_set_lanes(*, canvases: int = 96, compiled: bool = False) -> list[Lane]:
    """Graphs of 24 to 52 vertices in the main lane, some of 53 to 128 beside it."""
    return [
        Lane(IndependentSetSource((24, 52)), 0.95, canvases, compiled),
        Lane(IndependentSetSource((53, 128)), 0.05, max(8, canvases // 4)),
    ]


def independent_set_config(width: int, depth: int) -> ModelConfig:
    """See ``graph_config``."""
    return graph_config("independent-set", VOCABULARY, width=width, depth=depth)


def prepare(options: TrainingOptions, folder: Path) -> Trainer:
    """A trainer of the independent-set network; see ``prepare_training``."""
    lanes = independent_set_lanes(canvases=options.canvases, compiled=options.compiled)
    return prepare_training(options, folder, independent_set_config, lanes)
