"""Random graphs with a hidden answer: how many are solved, by what."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from rich.progress import Progress

from benchmarks.common import Row
from benchmarks.graph_solving import EFFORTS, Problem, Solving, dsatur, is_right
from solvers.base import Completion, Effort, Outcome, Solution
from solvers.graph.coloring import exact as coloring_exact
from solvers.graph.coloring import planted as colorings
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.graph import Graph
from solvers.graph.hamiltonian import exact as tour_exact
from solvers.graph.hamiltonian import planted as tours
from solvers.graph.hamiltonian.problem import HamiltonianProblem
from solvers.graph.independent_set import exact as set_exact
from solvers.graph.independent_set.problem import IndependentSetProblem

IN_FLIGHT = 64
#: Far from every seed that training draws with.
SEED = 987_654_321


@dataclass(frozen=True)
class PlantedSet:
    """Problems of one kind, and what solves them without a model.

    Attributes:
        name: the kind.
        problems: all with an answer.
        exact: completes one without hints.
        greedy: answers one without searching, or None.
    """

    name: str
    problems: Sequence[Problem]
    exact: Callable[..., Completion[Any]]
    greedy: Callable[[Any], Sequence[int]] | None = None


def planted_sets(count: int) -> list[PlantedSet]:
    """The kinds that are measured, ``count`` graphs of each."""
    return [
        _colorings(3, 50, 4.5, count),
        _colorings(5, 50, 11.5, count),
        _colorings(3, 100, 4.5, count // 5),
        _independent_sets(50, 5.0, count),
        _cycles(16, 3.0, count),
        _cycles(32, 3.0, count),
    ]


def _colorings(colors: int, vertices: int, degree: float, count: int) -> PlantedSet:
    rng = np.random.default_rng([SEED, colors, vertices])
    sizes, kinds = _filled(count, vertices, colors)
    batch = colorings.plant(sizes, kinds, np.full(count, degree), vertices, rng)
    return PlantedSet(
        f"{colors}-colouring, {vertices} vertices, mean degree {degree}",
        [ColoringProblem(Graph.of(a), colors) for a in batch.adjacency],
        coloring_exact.complete,
        lambda problem: dsatur(problem.graph),
    )


def _cycles(vertices: int, degree: float, count: int) -> PlantedSet:
    rng = np.random.default_rng([SEED, vertices])
    (sizes,) = _filled(count, vertices)
    batch = tours.plant(sizes, np.full(count, degree), vertices, 2, rng)
    return PlantedSet(
        f"Hamiltonian cycle, {vertices} vertices, mean degree {degree}",
        [HamiltonianProblem(Graph.of(a), cycle=True) for a in batch.adjacency],
        tour_exact.complete,
    )


def _independent_sets(vertices: int, degree: float, count: int) -> PlantedSet:
    """Random graphs; what is asked for is the size of the largest set, found by exact search."""
    rng = np.random.default_rng([SEED, vertices, 2])
    problems = []
    for _ in range(count):
        upper = np.triu(rng.random((vertices, vertices)) < degree / (vertices - 1), 1)
        problem = IndependentSetProblem(Graph.of(upper | upper.T), 1)
        largest = set_exact.maximise(problem, None, 0, 60.0)
        assert largest.proved
        problems.append(replace(problem, target_size=len(largest.vertices)))
    return PlantedSet(
        f"largest independent set, {vertices} vertices, mean degree {degree}",
        problems,
        set_exact.complete,
    )


def _filled(count: int, *values: int) -> list[np.ndarray]:
    return [np.full(count, value) for value in values]


async def measure_planted(solving: Solving, count: int) -> list[Row]:
    """A row for each kind and each way of solving it."""
    rows: list[Row] = []
    with Progress() as progress:
        for planted in planted_sets(count):
            for name, effort in EFFORTS.items():
                task = progress.add_task(f"{planted.name}: {name}", total=len(planted.problems))
                tell = partial(progress.advance, task)
                rows.append(
                    {"problem": planted.name, "by": name}
                    | await _solve(solving, planted, effort, tell)
                )
                progress.remove_task(task)
            rows.append(
                {"problem": planted.name, "by": "CP-SAT without hints"}
                | _exactly(planted, solving.limit_s)
            )
            if planted.greedy is not None:
                rows.append({"problem": planted.name, "by": "greedy DSATUR"} | _greedily(planted))
    return rows


async def _solve(
    solving: Solving, planted: PlantedSet, effort: Effort, tell: Callable[[], None]
) -> Row:
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(index: int) -> tuple[Solution[Any], float]:
        async with gate:
            begun = time.perf_counter()
            solution = await solving.solve(planted.problems[index], replace(effort, seed=index))
            tell()
            return solution, time.perf_counter() - begun

    started = time.perf_counter()
    results = await asyncio.gather(*(one(i) for i in range(len(planted.problems))))
    seconds = time.perf_counter() - started
    solutions = [solution for solution, _ in results]
    answers = [s.answer if s.outcome is Outcome.SOLVED else None for s in solutions]
    refuted = sum(s.outcome is Outcome.UNSATISFIABLE for s in solutions)
    steps = float(np.mean([s.report.steps for s in solutions]))
    return _row(planted, answers, seconds, refuted, round(steps, 1), max(s for _, s in results))


def _exactly(planted: PlantedSet, limit_s: float) -> Row:
    started, longest = time.perf_counter(), 0.0
    answers, refuted = [], 0
    for problem in planted.problems:
        begun = time.perf_counter()
        found = planted.exact(problem, None, 0, limit_s)
        longest = max(longest, time.perf_counter() - begun)
        answers.append(found.answer)
        refuted += found.outcome is Outcome.UNSATISFIABLE
    return _row(planted, answers, time.perf_counter() - started, refuted, None, longest)


def _greedily(planted: PlantedSet) -> Row:
    assert planted.greedy is not None
    started = time.perf_counter()
    answers = [planted.greedy(problem) for problem in planted.problems]
    kept = [a if is_right(p, a) else None for p, a in zip(planted.problems, answers, strict=True)]
    return _row(planted, kept, time.perf_counter() - started, 0, None, None)


def _row(
    planted: PlantedSet,
    answers: Sequence[Sequence[int] | None],
    seconds: float,
    refuted: int,
    steps: float | None,
    longest_s: float | None,
) -> Row:
    """Wrong is what networkx does not accept, and what is called unsatisfiable."""
    called = [(p, a) for p, a in zip(planted.problems, answers, strict=True) if a is not None]
    right = sum(is_right(problem, answer) for problem, answer in called)
    return {
        "graphs": len(answers),
        "solved": right,
        "wrong": len(called) - right + refuted,
        "mean steps": "" if steps is None else steps,
        "graphs/s": round(len(answers) / seconds, 2),
        "longest s": "" if longest_s is None else round(longest_s, 3),
    }
