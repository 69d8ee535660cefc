"""Colouring by exact search: complete a colouring or prove that there is none.

What takes no search comes first: vertices that can always be coloured last are left out, a clique
of more vertices than colours proves that there is no answer, a greedy colouring may be one. Then
CP-SAT has one boolean for each vertex and each colour that clamps in sight leave open, and each
colour at most once in each clique of a cover of the edges, exactly once if the clique has as many
vertices as there are colours.

Colours that no clamp names can be exchanged for each other. They have to appear in a fixed order
along the vertices, a large clique first, which thereby is coloured before the search begins.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from engine.canvas import Floats
from solvers.base import Completion, Outcome
from solvers.deadline import deadline
from solvers.exact import Choices, Search, choose, hint_belief, search
from solvers.graph.cliques import Clique, edge_cover, large_clique
from solvers.graph.coloring.core import Core
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.dsatur import greedy_coloring
from solvers.stop import Stop


def complete(
    problem: ColoringProblem,
    belief: Floats | None,
    seed: int,
    limit_s: float,
    stop: Stop | None = None,
    workers: int = 1,
) -> Completion[Coloring]:
    """Find a colouring or prove that there is none. Blocks without holding the GIL.

    Args:
        problem: clamps may contradict each other.
        belief: the model's, float32 [n, V], as hints; token c is colour c, and V may be less or
            more than there are colours.
        seed: same problem, belief and seed: same answer, unless time runs out.
        limit_s: seconds of search.
        stop: ends the search from another thread.
        workers: threads of CP-SAT. Two are rarely faster than one.
    """
    if problem.conflicts():
        return Completion(Outcome.UNSATISFIABLE)
    core = Core.of(problem)
    believed = None if belief is None else belief[core.vertices]
    settings = Search(seed=seed, limit_s=limit_s, workers=workers)
    completion = _color(core.problem, believed, settings, stop)
    if completion.answer is None:
        return completion
    return Completion(Outcome.SOLVED, core.extend(completion.answer))


def _color(
    problem: ColoringProblem, belief: Floats | None, settings: Search, stop: Stop | None
) -> Completion[Coloring]:
    clique = large_clique(problem.graph, settings.seed)
    if len(clique) > problem.colors:
        return Completion(Outcome.UNSATISFIABLE)
    coloring = greedy_coloring(problem.graph, problem.clamps, problem.colors)
    if coloring is not None:
        return Completion(Outcome.SOLVED, coloring)
    begun = time.monotonic()
    rules = _state_rules(problem, settings.limit_s, stop)
    if rules is None:
        return Completion(Outcome.UNDECIDED)
    model, choices = rules
    order = _order(problem, clique)
    fitted = None if belief is None else _fit(belief, problem.colors)
    _order_colors(model, choices, order, _exchangeable(problem, order, fitted))
    if fitted is not None:
        hint_belief(model, choices, fitted)
    left_s = settings.limit_s - (time.monotonic() - begun)
    found = search(model, replace(settings, limit_s=left_s), stop)
    if found.outcome is not Outcome.SOLVED:
        return Completion(found.outcome)
    return Completion(Outcome.SOLVED, choices.read(found.values))


def _state_rules(
    problem: ColoringProblem, limit_s: float, stop: Stop | None
) -> tuple[cp_model.CpModel, Choices] | None:
    """The rules; None if time runs out, as stating them takes seconds where edges are many."""
    model = cp_model.CpModel()
    choices = choose(model, open_colors(problem))
    with deadline(limit_s, stop) as over:
        for clique in edge_cover(problem.graph):
            if over():
                return None
            for color in range(problem.colors):
                takers = choices.taking(clique, color)
                if len(clique) == problem.colors:
                    model.add_exactly_one(takers)
                elif len(takers) > 1:
                    model.add_at_most_one(takers)
    return model, choices


def open_colors(problem: ColoringProblem) -> npt.NDArray[np.bool_]:
    """What no clamp rules out, bool [n, colors]; a clamped vertex keeps its colour."""
    allowed = np.ones((problem.graph.vertices, problem.colors), np.bool_)
    for vertex, color in problem.clamps:
        allowed[problem.graph.adjacency[vertex], color] = False
    for vertex, color in problem.clamps:
        allowed[vertex] = np.arange(problem.colors) == color
    return allowed


def _order(problem: ColoringProblem, clique: Clique) -> list[int]:
    """The open vertices: those of the clique, then those with most neighbours."""
    degree = problem.graph.adjacency.sum(1)
    degree[list(clique)] += problem.graph.vertices
    ranked = np.argsort(-degree, kind="stable").tolist()
    return [vertex for vertex in ranked if problem.given[vertex] < 0]


def _exchangeable(
    problem: ColoringProblem, order: Sequence[int], belief: Floats | None
) -> list[int]:
    """Colours that no clamp names, as they appear along the vertices, according to the belief."""
    named = {color for _, color in problem.clamps}
    believed = [] if belief is None else belief[list(order)].argmax(1).tolist()
    ranked = dict.fromkeys([*believed, *range(problem.colors)])
    return [color for color in ranked if color not in named]


def _order_colors(
    model: cp_model.CpModel, choices: Choices, order: Sequence[int], colors: Sequence[int]
) -> None:
    """Let a vertex take one of ``colors`` only if one before it in ``order`` has the last one."""
    for earlier, later in pairwise(colors):
        seen: list[cp_model.IntVar] = []  # whether ``earlier`` was taken so far, if it can be
        for vertex in order:
            row = choices.literals[vertex]
            if later in row:
                model.add_bool_or([row[later].negated(), *seen])
            if earlier in row:
                now = model.new_bool_var("")
                model.add_bool_or([now.negated(), row[earlier], *seen])
                seen = [now]


def _fit(belief: Floats, colors: int) -> Floats:
    """Belief with as many columns as there are colours, -1 where the model has no such token."""
    fitted = np.full((len(belief), colors), -1, np.float32)
    width = min(colors, belief.shape[1])
    fitted[:, :width] = np.nan_to_num(belief[:, :width], nan=-1.0)
    return fitted
