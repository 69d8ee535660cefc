"""Puzzles a second that the generator makes, by size and kind, on one thread.

Seconds are processor time of the thread, so that other work on the machine counts little.
Writes benchmarks/results/generator.json.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks.common import print_table, write_results
from solvers.sudoku.generator import generate
from solvers.sudoku.geometry import geometry

#: Box shape, least and most clues (None: as few as can be), puzzles a round.
KINDS: tuple[tuple[tuple[int, int], tuple[int, int] | None, int], ...] = (
    ((2, 2), None, 2000),
    ((2, 3), None, 1000),
    ((3, 3), (22, 45), 2000),
    ((3, 3), None, 1000),
    ((2, 5), None, 100),
    ((3, 4), None, 40),
    ((4, 4), (110, 110), 40),
    ((4, 4), None, 4),
)


def measure(
    box: tuple[int, int], clues: tuple[int, int] | None, count: int, *, rounds: int
) -> dict[str, object]:
    """The median rate over rounds with different seeds."""
    shape, rates, given = geometry(*box), [], []
    for seed in range(rounds):
        started = time.thread_time()
        batch = generate(shape, count, seed, clues, threads=1)
        rates.append(count / (time.thread_time() - started))
        given.append((batch.puzzles > 0).sum(axis=1).mean())
    return {
        "grid": f"{shape.size}x{shape.size}",
        "box": f"{box[0]}x{box[1]}",
        "asked": "minimal" if clues is None else f"{clues[0]} to {clues[1]} clues",
        "mean clues": round(float(np.mean(given)), 1),
        "puzzles a second": round(float(np.median(rates)), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="seeds of each kind")
    options = parser.parse_args()
    generate(geometry(2, 2), 1, 0, threads=1)  # compile
    rows = [measure(*kind, rounds=options.rounds) for kind in KINDS]
    print_table("Generated Sudokus, one thread", rows, threads=1)
    print(write_results("generator", rows, threads=1))


if __name__ == "__main__":
    main()
