"""Puzzle to canvas and canvas to grid: token d is digit d, token 0 is never taken."""

from __future__ import annotations

from functools import cache

import numpy as np

from engine.canvas import FREE, CanvasRequest, SamplingParams, Tokens
from engine.constraints import AllDifferent
from engine.domain import Domain
from solvers.sudoku.geometry import MAX_SIZE, Geometry, geometry
from solvers.sudoku.problem import Grid, SudokuProblem

#: Tokens of the Sudoku checkpoint, one vocabulary for every size of grid.
VOCABULARY = MAX_SIZE + 1

#: Training's rollout has a temperature of 0.6; a fall from 0.7 to 0.5 around it solves a little
#: more. A wrong canvas that no longer moves leaves, so that another candidate can be tried.
SAMPLING = SamplingParams(
    max_steps=64, t_min=0.5, t_max=0.7, entropy_bound=0.1, stability=4, confidence=0.005
)


def encode(problem: SudokuProblem, sampling: SamplingParams = SAMPLING) -> CanvasRequest:
    """The canvas of a puzzle: clues as clamps, digits as domain, units as relations and rule.

    Requests of one box shape share their domain, relations and constraint, because the engine
    batches canvases by them.
    """
    shape = geometry(problem.geometry.box_rows, problem.geometry.box_cols)
    clues = np.asarray(problem.cells, np.int64)
    return CanvasRequest(
        clamps=np.where(clues > 0, clues, FREE),
        domain=_digits(shape),
        relations=shape.relations,
        constraint=_units_differ(shape),
        sampling=sampling,
    )


def decode(tokens: Tokens) -> Grid:
    """Tokens [cells] as a grid of plain integers."""
    return tuple(tokens.tolist())


@cache
def _digits(shape: Geometry) -> Domain:
    """The digits of this size, in every cell."""
    tokens = np.arange(VOCABULARY)
    return Domain.everywhere((tokens >= 1) & (tokens <= shape.size), shape.cells)


@cache
def _units_differ(shape: Geometry) -> AllDifferent:
    return AllDifferent(shape.cells, shape.units)
