"""Public graphs: the fewest colours and largest independent sets found, beside the best known."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ortools.sat.python import cp_model
from rich.progress import track

from benchmarks.common import Row
from benchmarks.graph_solving import EFFORTS, Problem, Solving, dsatur, is_right
from solvers.base import Outcome
from solvers.exact import Search, search
from solvers.graph.cliques import edge_cover
from solvers.graph.coloring import exact
from solvers.graph.coloring.codec import VOCABULARY
from solvers.graph.coloring.fewest import FewestColors
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.formats import read_graph
from solvers.graph.graph import Graph
from solvers.graph.independent_set.largest import LargestSet
from solvers.graph.independent_set.problem import IndependentSetProblem


async def measure_colorings(solving: Solving, folder: Path, most: int) -> list[Row]:
    """A row for each graph of up to ``most`` vertices."""
    rows: list[Row] = []
    files = list(_listed(folder / "coloring.csv", folder / "coloring", ".col", most))
    for record, graph in track(files, description="colouring"):
        known = record["best_known_colors"]
        best = int(known) if known.isdigit() else None
        objective = FewestColors(ColoringProblem(graph, graph.vertices))
        found, seconds = await solving.best(objective)
        colors = 1 + max(found.answer)
        right = is_right(ColoringProblem(graph, colors), found.answer)
        cp_sat, cp_proved, cp_s = _colors_by_cp_sat(graph, solving.limit_s)
        too_good = best is not None and record["proved"] == "*" and colors < best
        rows.append(
            {
                "graph": record["instance"],
                "vertices": graph.vertices,
                "edges": len(graph.edges),
                "best known": "" if best is None else best,
                "default": colors,
                "proved": found.proved,
                "s": round(seconds, 2),
                "by": found.report.method.value if found.report.method else "",
                "DSATUR": 1 + max(dsatur(graph)),
                "CP-SAT": cp_sat,
                "CP-SAT proved": cp_proved,
                "CP-SAT s": round(cp_s, 2),
                **await _at_best(
                    solving, best and best <= VOCABULARY and ColoringProblem(graph, best)
                ),
                "wrong": int(
                    not right or too_good or (found.proved and best is not None and colors > best)
                ),
            }
        )
    return rows


async def measure_independent_sets(solving: Solving, folder: Path, most: int) -> list[Row]:
    """A row for each graph of up to ``most`` vertices."""
    rows: list[Row] = []
    names = folder / "independent_set.csv", folder / "independent_set", ".clq-compliment.txt"
    for record, graph in track(list(_listed(*names, most)), description="independent set"):
        best = int(next(value for key, value in record.items() if key.startswith("MIS")))
        objective = LargestSet(IndependentSetProblem(graph, 1))
        found, seconds = await solving.best(objective)
        size = len(found.answer)
        cp_sat, cp_proved, cp_s = _set_by_cp_sat(graph, solving.limit_s)
        right = is_right(IndependentSetProblem(graph, size), found.answer)
        rows.append(
            {
                "graph": record["instance"],
                "vertices": graph.vertices,
                "edges": len(graph.edges),
                "best known": best,
                "default": size,
                "proved": found.proved,
                "s": round(seconds, 2),
                "by": found.report.method.value if found.report.method else "",
                "greedy": len(objective.incumbent()),
                "CP-SAT": cp_sat,
                "CP-SAT proved": cp_proved,
                "CP-SAT s": round(cp_s, 2),
                **await _at_best(solving, IndependentSetProblem(graph, best)),
                "wrong": int(not right or (found.proved and size != best)),
            }
        )
    return rows


def _listed(
    table: Path, folder: Path, ending: str, most: int
) -> Iterator[tuple[dict[str, str], Graph]]:
    with table.open(encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    for record in records:
        if int(record["V"]) <= most:
            yield record, read_graph(folder / (record["instance"] + ending)).graph


async def _at_best(solving: Solving, problem: Problem | Any) -> dict[str, Any]:
    """Whether each effort without search reaches the best known; "" where it was not tried."""
    efforts = [name for name in EFFORTS if name != "default"]
    if not problem:
        return dict.fromkeys(efforts, "")
    reached = {}
    for name in efforts:
        solution = await solving.solve(problem, EFFORTS[name])
        solved = solution.outcome is Outcome.SOLVED
        reached[name] = solved and is_right(problem, solution.answer)
    return reached


def _colors_by_cp_sat(graph: Graph, limit_s: float) -> tuple[int, bool, float]:
    """Fewer and fewer colours from DSATUR's on: how many, whether proved fewest, seconds."""
    started = time.perf_counter()
    colors = 1 + max(dsatur(graph))
    while colors > 1:
        left_s = limit_s - (time.perf_counter() - started)
        found = exact.complete(ColoringProblem(graph, colors - 1), None, 0, left_s)
        if found.answer is None:
            proved = found.outcome is Outcome.UNSATISFIABLE
            return colors, proved, time.perf_counter() - started
        colors = len(set(found.answer))
    return colors, True, time.perf_counter() - started


def _set_by_cp_sat(graph: Graph, limit_s: float) -> tuple[int, bool, float]:
    """As many vertices as it finds: how many, whether proved the most, seconds."""
    started = time.perf_counter()
    model = cp_model.CpModel()
    chosen = [model.new_bool_var("") for _ in range(graph.vertices)]
    for clique in edge_cover(graph):
        model.add_at_most_one(chosen[vertex] for vertex in clique)
    model.maximize(sum(chosen))
    found = search(model, Search(seed=0, limit_s=limit_s, linear=True))
    size = sum(found.values[variable.index] for variable in chosen) if found.values else 0
    return size, found.optimal, time.perf_counter() - started
