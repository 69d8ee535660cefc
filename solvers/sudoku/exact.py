"""Sudoku by exact search: complete a puzzle, prove that it has no answer, or only one.

One boolean for each (cell, digit) that the clues leave open; each digit exactly once in each unit.
``benchmarks/exact.py`` times it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from engine.canvas import Floats
from solvers.base import Completion, Outcome
from solvers.exact import Choices, Search, choose, hint_belief, search
from solvers.stop import Stop
from solvers.sudoku.problem import Grid, SudokuProblem


def complete(
    problem: SudokuProblem,
    belief: Floats | None,
    seed: int,
    limit_s: float,
    stop: Stop | None = None,
) -> Completion[Grid]:
    """Find an answer or prove that there is none. Blocks without holding the GIL.

    Args:
        problem: the puzzle; clues may contradict each other.
        belief: the model's, float32 [cells, V], as hints; token d is digit d.
        seed: same puzzle, belief and seed: same answer, unless time runs out.
        limit_s: seconds of search.
        stop: ends the search from another thread.
    """
    model, choices = _state_rules(problem)
    if belief is not None:
        hint_belief(model, choices, belief)
    found = search(model, Search(seed=seed, limit_s=limit_s), stop)
    if found.outcome is not Outcome.SOLVED:
        return Completion(found.outcome)
    return Completion(Outcome.SOLVED, choices.read(found.values))


def is_unique(
    problem: SudokuProblem, answer: Grid, limit_s: float, stop: Stop | None = None, seed: int = 0
) -> bool | None:
    """Whether ``answer`` is the only one: searches for another. Blocks like ``complete``.

    Returns:
        None if time ran out or the search was stopped.

    Raises:
        ValueError: ``answer`` does not fit the clues.
    """
    model, choices = _state_rules(problem)
    same = []
    for cell, digit in enumerate(answer):
        if digit not in choices.literals[cell]:
            raise ValueError(f"answer: digit {digit} of cell {cell} does not fit the clues")
        same.append(choices.literals[cell][digit])
    model.add_bool_or(literal.negated() for literal in same)
    outcome = search(model, Search(seed=seed, limit_s=limit_s), stop).outcome
    return None if outcome is Outcome.UNDECIDED else outcome is Outcome.UNSATISFIABLE


def _state_rules(problem: SudokuProblem) -> tuple[cp_model.CpModel, Choices]:
    shape = problem.geometry
    model = cp_model.CpModel()
    choices = choose(model, open_digits(problem))
    for unit in shape.units.tolist():
        for digit in range(1, shape.size + 1):
            model.add_exactly_one(choices.taking(unit, digit))
    return model, choices


def open_digits(problem: SudokuProblem) -> npt.NDArray[np.bool_]:
    """What no clue rules out, bool [cells, size + 1]; a clue keeps its digit, 0 is never open."""
    shape, clues = problem.geometry, np.asarray(problem.cells)
    taken = np.zeros((shape.cells, shape.size + 1), np.bool_)
    for unit_of in shape.unit_of.values():
        in_unit = np.zeros((shape.size, shape.size + 1), np.bool_)
        in_unit[unit_of, clues] = True
        taken |= in_unit[unit_of]
    given = np.flatnonzero(clues)
    taken[given] = True
    taken[given, clues[given]] = False
    taken[:, 0] = True
    return ~taken
