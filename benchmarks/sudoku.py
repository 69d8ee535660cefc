"""How many Sudokus are solved, by what, and how fast.

For each list and each effort: solved; wrong, which is called UNSATISFIABLE, or called SOLVED with
another answer than the only one; how many each method solved; mean steps; and puzzles a second with
many in flight. Three kinds of number that are never mixed:

  model     guidance NONE, one candidate, at most 64 steps, no exact search; then 16 candidates
  guided    guidance PROPAGATE, no exact search
  default   what a caller gets who asks for nothing

Lists are CSV files (puzzle, solution), or generated here. Writes benchmarks/results/sudoku.json.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from benchmarks.common import Row, print_table, write_results
from engine.checkpoint import load_checkpoint
from engine.cores import usable_cores
from engine.engine import Engine
from engine.limits import EngineLimits
from solvers.base import Effort, Guidance, Method, Outcome, Solution
from solvers.bundled import bundled_checkpoints
from solvers.search_pool import SearchPool
from solvers.strategy import solve
from solvers.sudoku.data import read_puzzles
from solvers.sudoku.generator import PuzzleBatch, generate
from solvers.sudoku.geometry import geometry
from solvers.sudoku.problem import Grid, SudokuProblem
from solvers.sudoku.solver import SudokuSolver

EFFORTS = {
    "model, 1 candidate": Effort(
        guidance=Guidance.NONE, candidates=1, max_steps=64, exact_fallback=False
    ),
    "model, 16 candidates": Effort(
        guidance=Guidance.NONE, candidates=16, max_steps=64, exact_fallback=False
    ),
    "guided": Effort(guidance=Guidance.PROPAGATE, exact_fallback=False),
    "default": Effort(),
}
IN_FLIGHT = 64
Answer = Callable[[SudokuProblem, Effort], Coroutine[Any, Any, Solution[Grid]]]


async def measure(
    answer: Answer, name: str, puzzles: PuzzleBatch, box: tuple[int, int], effort: Effort, tell
) -> Row:
    """Solve a list and count."""
    problems = [SudokuProblem.create(p.tolist(), *box) for p in puzzles.puzzles]
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(index: int) -> Solution[Grid]:
        async with gate:
            seeded = replace(effort, seed=index)
            solution = await answer(problems[index], seeded)
            tell()
            return solution

    started = time.perf_counter()
    solutions = await asyncio.gather(*(one(i) for i in range(len(problems))))
    seconds = time.perf_counter() - started
    return _row(name, solutions, puzzles.solutions, seconds)


def _row(
    name: str, solutions: Sequence[Solution[Grid]], expected: np.ndarray, seconds: float
) -> dict[str, object]:
    solved = [s for s in solutions if s.outcome is Outcome.SOLVED]
    wrong = sum(
        s.outcome is Outcome.UNSATISFIABLE
        or (s.outcome is Outcome.SOLVED and tuple(answer.tolist()) != s.answer)
        for s, answer in zip(solutions, expected, strict=True)
    )
    methods = Counter(s.report.method for s in solved)
    return {
        "list": name,
        "puzzles": len(solutions),
        "solved": len(solved),
        "wrong": wrong,
        "by diffusion": methods[Method.DIFFUSION],
        "by guided": methods[Method.GUIDED_DIFFUSION],
        "by exact": methods[Method.EXACT],
        "mean steps": round(float(np.mean([s.report.steps for s in solutions])), 1),
        "puzzles/s": round(len(solutions) / seconds, 2),
    }


def lists_of(options: argparse.Namespace) -> dict[str, tuple[PuzzleBatch, tuple[int, int]]]:
    """Named lists, cut to the limit."""
    found = {}
    for path in options.lists:
        batch = read_puzzles(path, geometry(3, 3))
        found[path.name.split(".")[0]] = (_cut(batch, options.limit), (3, 3))
    for box, clues, kind in (
        ((3, 3), None, "minimal"),
        ((2, 2), None, "minimal"),
        ((2, 3), None, "minimal"),
        ((4, 4), (140, 200), "140-200 clues"),
    ):
        shape = geometry(*box)
        count = min(options.generated, options.limit or options.generated)
        batch = generate(shape, count, seed=20_000, clues=clues)
        found[f"generated {shape.size}x{shape.size}, {kind}"] = (batch, box)
    return found


def _cut(batch: PuzzleBatch, limit: int | None) -> PuzzleBatch:
    return PuzzleBatch(batch.puzzles[:limit], batch.solutions[:limit])


async def run(options: argparse.Namespace) -> list[Row]:
    folder = options.checkpoint or bundled_checkpoints()["sudoku"]
    checkpoint = load_checkpoint(folder, options.device)
    rows: list[Row] = []
    limits = EngineLimits(max_batch=64, max_queue=4096, threads=options.threads)
    with Engine({"sudoku": checkpoint}, limits) as engine, SearchPool() as searches:
        answer = partial(solve, SudokuSolver(), engine=engine, model="sudoku", searches=searches)
        lists = lists_of(options)
        with Progress() as progress:
            for effort_name in options.efforts or EFFORTS:
                for name, (batch, box) in lists.items():
                    task = progress.add_task(f"{effort_name}: {name}", total=len(batch.puzzles))
                    row = await measure(
                        answer,
                        name,
                        batch,
                        box,
                        EFFORTS[effort_name],
                        lambda task=task: progress.advance(task),
                    )
                    rows.append({"effort": effort_name, **row})
                    progress.remove_task(task)
    print_table(f"Sudoku, weights {checkpoint.digest[:12]}", rows, threads=options.threads)
    print(write_results(options.name, rows, threads=options.threads, weights=checkpoint.digest))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lists", nargs="*", type=Path, help="CSV files, gzipped or not")
    parser.add_argument("--limit", type=int, help="puzzles of each list at most")
    parser.add_argument("--generated", type=int, default=200, help="puzzles of each generated list")
    parser.add_argument("--efforts", nargs="*", choices=EFFORTS, help="default: all")
    parser.add_argument("--checkpoint", type=Path, help="default: the bundled one")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="of the engine")
    parser.add_argument("--name", default="sudoku", help="of the JSON file")
    options = parser.parse_args()
    if wrong := sum(int(row["wrong"]) for row in asyncio.run(run(options))):
        raise SystemExit(f"{wrong} wrong answers")


if __name__ == "__main__":
    main()
