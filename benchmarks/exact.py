"""Milliseconds to complete a Sudoku exactly, beside the formulations it was chosen over.

Building the model is included. A belief is faked: the answer, with a share of the cells wrong.
Writes benchmarks/results/exact.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ortools.sat.python import cp_model

from benchmarks.common import print_table, write_results
from solvers.base import Outcome
from solvers.sudoku.data import read_puzzles
from solvers.sudoku.exact import complete, open_digits
from solvers.sudoku.generator import PuzzleBatch, generate
from solvers.sudoku.geometry import Geometry, geometry
from solvers.sudoku.problem import SudokuProblem

LIMIT_S = 20.0
WRONG_SHARE = 0.4


def integers(problem: SudokuProblem) -> bool:
    """One integer a cell, all different in each unit; the same settings."""
    model = cp_model.CpModel()
    domains = (cp_model.Domain.from_values(np.flatnonzero(row)) for row in open_digits(problem))
    cells = [model.new_int_var_from_domain(domain, "") for domain in domains]
    for unit in problem.geometry.units.tolist():
        model.add_all_different([cells[cell] for cell in unit])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 0
    solver.parameters.cp_model_probing_level = 0
    solver.parameters.symmetry_level = 0
    return _found(solver, model)


def defaults(problem: SudokuProblem) -> bool:
    """The booleans in use, under CP-SAT's default settings on one worker."""
    model = cp_model.CpModel()
    literals = [
        {int(digit): model.new_bool_var("") for digit in np.flatnonzero(row)}
        for row in open_digits(problem)
    ]
    for row in literals:
        model.add_exactly_one(row.values())
    for unit in problem.geometry.units.tolist():
        for digit in range(1, problem.geometry.size + 1):
            model.add_exactly_one(literals[c][digit] for c in unit if digit in literals[c])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    return _found(solver, model)


def _found(solver: cp_model.CpSolver, model: cp_model.CpModel) -> bool:
    solver.parameters.max_time_in_seconds = LIMIT_S
    return solver.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE)


def in_use(problem: SudokuProblem) -> bool:
    return complete(problem, None, 0, LIMIT_S).outcome is Outcome.SOLVED


def hinted(solution: np.ndarray, rng: np.random.Generator) -> Callable[[SudokuProblem], bool]:
    """What is in use, with a belief of which a share is wrong."""
    size = int(solution.max())
    wrong = rng.random(len(solution)) < WRONG_SHARE
    likely = np.where(wrong, rng.integers(1, size + 1, len(solution)), solution)
    belief = rng.random((len(solution), size + 1)).astype(np.float32) * 0.1
    belief[np.arange(len(solution)), likely] = rng.uniform(0.3, 1, len(solution))
    return lambda problem: complete(problem, belief, 0, LIMIT_S).outcome is Outcome.SOLVED


def measure(name: str, shape: Geometry, batch: PuzzleBatch) -> dict[str, object]:
    rng, times = np.random.default_rng(0), []
    for puzzle, solution in zip(batch.puzzles, batch.solutions, strict=True):
        problem = SudokuProblem.create(puzzle.tolist(), shape.box_rows, shape.box_cols)
        ways = (in_use, hinted(solution, rng), integers, defaults)
        times.append([_milliseconds(way, problem) for way in ways])
    median, worst = np.median(times, axis=0), np.max(times, axis=0)
    columns = ("in use", "with a belief", "integers", "default settings")
    shown = zip(columns, median, worst, strict=True)
    row: dict[str, object] = {"puzzles": name}
    for column, middle, most in shown:
        row[f"{column}: median, max ms"] = f"{middle:.1f}, {most:.1f}"
    return row


def _milliseconds(way: Callable[[SudokuProblem], bool], problem: SudokuProblem) -> float:
    started = time.perf_counter()
    if not way(problem):
        raise SystemExit(f"not solved within {LIMIT_S} s: {problem}")
    return (time.perf_counter() - started) * 1e3


def loosened(shape: Geometry, clues: int, count: int) -> PuzzleBatch:
    """Puzzles with many answers: solutions of which a few cells are kept at random."""
    full = generate(shape, count, 0, (shape.cells, shape.cells))
    keep = np.argsort(np.random.default_rng(0).random(full.puzzles.shape), axis=1) < clues
    return PuzzleBatch(full.solutions * keep, full.solutions)


def kinds(lists: Sequence[Path], count: int) -> dict[str, tuple[Geometry, PuzzleBatch]]:
    classic, large = geometry(3, 3), geometry(4, 4)
    found = {path.name.split(".")[0]: (classic, read_puzzles(path, classic)) for path in lists}
    found["9x9 minimal"] = classic, generate(classic, count, 0)
    found["16x16, 110 clues"] = large, generate(large, count, 0, (110, 110))
    for clues in (0, 40, 90):
        found[f"16x16, {clues} clues, many answers"] = large, loosened(large, clues, count)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lists", nargs="*", type=Path, help="CSV files of 9 x 9 puzzles")
    parser.add_argument("--count", type=int, default=20, help="puzzles of each kind")
    options = parser.parse_args()
    defaults(SudokuProblem.create([0] * 81))  # loads what the first search loads
    rows = [
        measure(name, shape, PuzzleBatch(*(x[: options.count] for x in (b.puzzles, b.solutions))))
        for name, (shape, b) in kinds(options.lists, options.count).items()
    ]
    print_table("Exact completion, one worker", rows, threads=1)
    print(write_results("exact", rows, threads=1))


if __name__ == "__main__":
    main()
