"""Finish a colouring that the model did not: greedily, by tabu search, exactly, in turns.

Tabu search finds nearly all colourings that exist and proves nothing; exact search proves, and
finds what tabu search would not in reasonable time. Which of them a graph needs is not known
before, so they take turns, each round twice as long as the one before.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import count

import numpy as np

from engine.canvas import Floats
from solvers.base import Completion, Method, Outcome
from solvers.deadline import deadline
from solvers.graph.coloring import exact
from solvers.graph.coloring.core import Core
from solvers.graph.coloring.problem import Coloring, ColoringProblem
from solvers.graph.coloring.tabu import Colors, repair
from solvers.graph.dsatur import greedy_coloring
from solvers.stop import Stop

#: Of the first round of tabu search, and of exact search in seconds.
_MOVES, _EXACT_S = 20_000, 1.0
#: Moves between two looks at the time: some hundredths of a second.
_SLICE = 20_000


def complete(
    problem: ColoringProblem, belief: Floats | None, seed: int, limit_s: float, stop: Stop
) -> Completion[Coloring]:
    """Find a colouring or prove that there is none. Blocks, mostly without holding the GIL.

    Args:
        problem: without conflicts.
        belief: the model's, float32 [n, V], to begin with and as hints; None for none.
        seed: same problem, belief and seed: same answer, unless time cuts a search short.
        limit_s: seconds of search.
        stop: ends the search from another thread.
    """
    end = time.monotonic() + limit_s
    core = Core.of(problem)
    greedy = greedy_coloring(core.problem.graph, core.problem.clamps, problem.colors)
    if greedy is not None:
        return Completion(Outcome.SOLVED, core.extend(greedy), Method.LOCAL_SEARCH)
    believed = None if belief is None else belief[core.vertices]
    found = _take_turns(core.problem, believed, seed, end, stop)
    if found.answer is None:
        return found
    return Completion(found.outcome, core.extend(found.answer), found.method)


def _take_turns(
    problem: ColoringProblem, belief: Floats | None, seed: int, end: float, stop: Stop
) -> Completion[Coloring]:
    """Search until ``end``, a time of ``time.monotonic``."""
    colors = _draft(problem, belief, seed)
    for turn in count():
        colors, conflicts = _search_locally(problem, colors, seed + turn, turn, end, stop)
        if conflicts == 0:
            answer = tuple(colors.tolist())
            return Completion(Outcome.SOLVED, answer, Method.LOCAL_SEARCH)
        left_s = end - time.monotonic()
        found = exact.complete(problem, belief, seed, min(left_s, _EXACT_S * 2**turn), stop)
        if found.outcome is not Outcome.UNDECIDED or left_s <= _EXACT_S * 2**turn:
            return found
    raise AssertionError  # turns do not end by themselves


def _draft(problem: ColoringProblem, belief: Floats | None, seed: int) -> Colors:
    """Where tabu search begins: the model's draft, or colours at random; clamps hold theirs."""
    drawn = np.random.default_rng(seed).integers(0, problem.colors, problem.graph.vertices)
    if belief is not None and belief.shape[1]:
        drawn = np.nan_to_num(belief[:, : problem.colors]).argmax(axis=1)
    return np.where(problem.given >= 0, problem.given, drawn)


def _search_locally(
    problem: ColoringProblem, draft: Colors, seed: int, turn: int, end: float, stop: Stop
) -> tuple[Colors, int]:
    """A round of tabu search: the best colouring that was met, and its conflicts."""
    best, fewest, fixed = draft, -1, problem.given >= 0
    flag = np.zeros(1, np.int8)
    with deadline(end - time.monotonic(), stop) as over, stop.obeyed_by(partial(flag.fill, 1)):
        for part in range(2**turn * _MOVES // _SLICE):
            best, fewest = repair(
                problem.graph.adjacency,
                problem.colors,
                fixed,
                best,
                moves=_SLICE,
                stop=flag,
                seed=seed * 1009 + part,
            )
            if fewest == 0 or over():
                break
    return best, fewest
