"""Canvases for each bundled checkpoint, of one length, for timing the engine alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.canvas import CanvasRequest
from engine.config import ModelConfig
from solvers.graph.coloring import codec as coloring
from solvers.graph.coloring import planted as colorings
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.graph import Graph
from solvers.graph.hamiltonian import codec as hamiltonian
from solvers.graph.hamiltonian import planted as tours
from solvers.graph.hamiltonian.problem import HamiltonianProblem
from solvers.graph.independent_set import codec as independent_set
from solvers.graph.independent_set.problem import IndependentSetProblem
from solvers.graph.network import graph_config
from solvers.sudoku.codec import encode as encode_sudoku
from solvers.sudoku.generator import generate
from solvers.sudoku.geometry import geometry
from solvers.sudoku.problem import SudokuProblem
from solvers.sudoku.train import sudoku_config

VERTICES, PLACES = 48, 32
_COLORS, _DEGREE, _TOUR_DEGREE, _TARGET = 3, 4.5, 3.0, 20


@dataclass(frozen=True)
class EngineCase:
    """What one checkpoint is timed on.

    Attributes:
        checkpoint: its name in ``bundled_checkpoints``.
        config: of a model of its kind.
        draw: so many canvases, each with a seed of its own.
    """

    checkpoint: str
    config: ModelConfig
    draw: Callable[[int], Sequence[CanvasRequest]]


def engine_cases() -> list[EngineCase]:
    """One for each bundled checkpoint."""
    graph = {
        "coloring": (coloring.VOCABULARY, _colorings),
        "independent-set": (independent_set.VOCABULARY, _independent_sets),
        "hamiltonian": (hamiltonian.VOCABULARY, _tours),
    }
    return [
        EngineCase("sudoku", sudoku_config(), _sudokus),
        *(EngineCase(name, graph_config(name, size), draw) for name, (size, draw) in graph.items()),
    ]


def _sudokus(count: int) -> list[CanvasRequest]:
    """Puzzles of 22 to 45 clues."""
    shape = geometry(3, 3)
    puzzles = generate(shape, count, seed=count, clues=(22, 45)).puzzles.tolist()
    return _seeded([encode_sudoku(SudokuProblem(shape, tuple(p))) for p in puzzles])


def _colorings(count: int) -> list[CanvasRequest]:
    """Graphs of 48 vertices, mean degree 4.5, in three colours."""
    sizes, colors, degree = (np.full(count, value) for value in (VERTICES, _COLORS, _DEGREE))
    planted = colorings.plant(sizes, colors, degree, VERTICES, np.random.default_rng(count))
    graphs = planted.adjacency
    return _seeded([coloring.encode(ColoringProblem(Graph.of(a), _COLORS)) for a in graphs])


def _independent_sets(count: int) -> list[CanvasRequest]:
    """Twenty vertices or more of 48, mean degree 4.5."""
    chance = np.random.default_rng(count).random((count, VERTICES, VERTICES))
    graphs = [Graph.of(upper < _DEGREE / (VERTICES - 1)) for upper in chance]
    return _seeded([independent_set.encode(IndependentSetProblem(g, _TARGET)) for g in graphs])


def _tours(count: int) -> list[CanvasRequest]:
    """Cycles through 32 vertices, mean degree 3."""
    sizes, degree = (np.full(count, value) for value in (PLACES, _TOUR_DEGREE))
    graphs = tours.plant(sizes, degree, PLACES, 2, np.random.default_rng(count)).adjacency
    problems = [HamiltonianProblem(Graph.of(a), cycle=True) for a in graphs]
    return _seeded([hamiltonian.encode(p) for p in problems])


def _seeded(requests: Sequence[CanvasRequest]) -> list[CanvasRequest]:
    return [replace(request, seed=i) for i, request in enumerate(requests)]
