"""Large independent sets by tabu search, compiled by numba.

After Wu, Hao and Glover, "Multi-neighborhood tabu search for the maximum weight clique problem"
(2012), without weights. At each step a vertex that shares no edge with the set joins it; failing
that one that shares one edge takes the place of its neighbour; failing that one leaves. What left
may not come back for some steps, and a search that no longer improves starts over from nothing.

The search stops after a number of steps and goes on where it stood, so that its caller can look at
the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from solvers.deadline import deadline
from solvers.graph.graph import Adjacency
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.graph.independent_set.residual import Residual
from solvers.splitmix import below
from solvers.stop import Stop

Indices = npt.NDArray[np.int64]

#: Steps between two looks at the time: some ten milliseconds.
_SLICE = 10_000
#: Steps without a larger set than since the start after which the search starts over.
_PATIENCE = 10_000
#: Steps for which a vertex that left stays out; one that was replaced up to as many more as there
#: were others that could have taken its place.
_TENURE = 7

_FREE, _NEAR, _CHOSEN = 0, 1, 2


class _State(NamedTuple):
    """Where the search stands.

    A vertex outside the set is *free* if it has no neighbour in it, *near* if it has one.

    Attributes:
        starts: int64 [n + 1], where the neighbours of each vertex begin.
        neighbours: int64 [2 m].
        chosen: bool [n], the set.
        touching: int64 [n], how many neighbours of each vertex are chosen.
        sum: int64 [n], the sum of their numbers: if it is one, which.
        tabu: int64 [n], the step from which on a vertex may join.
        lists: int64 [3, n], the free vertices, the near ones, the chosen ones.
        lengths: int64 [3].
        place: int64 [n], where a vertex stands in its list.
        best: bool [n], the largest set found.
        at: int64 [4], the step; the sizes of the largest set and of the largest since the start;
            the step at which that was found.
        random: uint64 [1].
    """

    starts: Indices
    neighbours: Indices
    chosen: npt.NDArray[np.bool_]
    touching: Indices
    sum: Indices
    tabu: Indices
    lists: Indices
    lengths: Indices
    place: Indices
    best: npt.NDArray[np.bool_]
    at: Indices
    random: npt.NDArray[np.uint64]


def improve(
    problem: IndependentSetProblem,
    start: Iterable[int],
    seed: int,
    steps: int,
    limit_s: float,
    stop: Stop | None = None,
) -> IndependentSet:
    """Search for a set of the target size. Blocks, mostly without holding the GIL.

    Args:
        problem: without conflicts.
        start: vertices to start from; those that clash with others, or with what is included or
            excluded, are left out.
        seed: same problem, start, seed and steps: same set, unless time runs out.
        steps: at most so many.
        limit_s: seconds of search.
        stop: ends the search from another thread.

    Returns:
        The largest set found, with what is included and without what is excluded; it may be
        smaller than the target.
    """
    residual = Residual.of(problem)
    found = enlarge(
        residual.adjacency,
        residual.lower(start),
        problem.target_size - len(problem.include),
        seed,
        steps,
        limit_s,
        stop,
    )
    return residual.lift(found)


def enlarge(
    adjacency: Adjacency,
    start: Sequence[int],
    target: int,
    seed: int,
    steps: int,
    limit_s: float,
    stop: Stop | None = None,
) -> IndependentSet:
    """Like ``improve``, on a graph without conditions, bool [n, n]."""
    target = min(target, len(adjacency))
    state = _begin(adjacency, seed)
    _add_all(state, np.array(_independent(adjacency, start), np.int64))
    with deadline(limit_s, stop) as over:
        while state.at[1] < target and state.at[0] < steps and not over():
            _search(state, target, min(_SLICE, steps - int(state.at[0])))
    return tuple(np.flatnonzero(state.best).tolist())


def _independent(adjacency: Adjacency, start: Sequence[int]) -> list[int]:
    """An independent part of ``start``, those with fewest neighbours in it first."""
    clashes = adjacency[np.ix_(start, start)].sum(1)
    kept: list[int] = []
    for index in np.argsort(clashes, kind="stable").tolist():
        if not adjacency[start[index], kept].any():
            kept.append(start[index])
    return kept


def _begin(adjacency: Adjacency, seed: int) -> _State:
    n = len(adjacency)
    return _State(
        starts=np.concatenate([[0], np.cumsum(adjacency.sum(1))]).astype(np.int64),
        neighbours=np.nonzero(adjacency)[1].astype(np.int64),
        chosen=np.zeros(n, np.bool_),
        touching=np.zeros(n, np.int64),
        sum=np.zeros(n, np.int64),
        tabu=np.zeros(n, np.int64),
        lists=np.tile(np.arange(n), (3, 1)),
        lengths=np.array([n, 0, 0]),
        place=np.arange(n),
        best=np.zeros(n, np.bool_),
        at=np.zeros(4, np.int64),
        random=np.array([seed], np.uint64),
    )


@njit(cache=True)
def _enlist(state, which, vertex):
    at = state.lengths[which]
    state.lists[which, at] = vertex
    state.place[vertex] = at
    state.lengths[which] = at + 1


@njit(cache=True)
def _delist(state, which, vertex):
    """Take a vertex from its list; the last one takes its place."""
    at, end = state.place[vertex], state.lengths[which] - 1
    last = state.lists[which, end]
    state.lists[which, at] = last
    state.place[last] = at
    state.lengths[which] = end


@njit(cache=True)
def _add(state, vertex):
    """Choose a free vertex."""
    _delist(state, _FREE, vertex)
    _enlist(state, _CHOSEN, vertex)
    state.chosen[vertex] = True
    for i in range(state.starts[vertex], state.starts[vertex + 1]):
        other = state.neighbours[i]
        count = state.touching[other]
        state.touching[other] = count + 1
        state.sum[other] += vertex
        if count <= _NEAR:
            _delist(state, count, other)
        if count == _FREE:
            _enlist(state, _NEAR, other)


@njit(cache=True)
def _drop(state, vertex):
    """Undo ``_add``."""
    _delist(state, _CHOSEN, vertex)
    _enlist(state, _FREE, vertex)
    state.chosen[vertex] = False
    for i in range(state.starts[vertex], state.starts[vertex + 1]):
        other = state.neighbours[i]
        count = state.touching[other] - 1
        state.touching[other] = count
        state.sum[other] -= vertex
        if count == _FREE:
            _delist(state, _NEAR, other)
        if count <= _NEAR:
            _enlist(state, count, other)


@njit(cache=True)
def _note_size(state):
    """Keep the set if it is the largest, and the step if it is the largest since the start."""
    size = state.lengths[_CHOSEN]
    if size > state.at[2]:
        state.at[2], state.at[3] = size, state.at[0]
    if size > state.at[1]:
        state.at[1] = size
        state.best[:] = state.chosen


@njit(cache=True)
def _add_all(state, vertices):
    for vertex in vertices:
        _add(state, vertex)
    _note_size(state)


@njit(cache=True)
def _draw(state, which):
    """A random vertex of a list that is not tabu, -1 if there is none."""
    drawn, seen = -1, 0
    for i in range(state.lengths[which]):
        vertex = state.lists[which, i]
        if state.tabu[vertex] <= state.at[0]:
            seen += 1
            if below(seen, state.random) == 0:
                drawn = vertex
    return drawn


@njit(cache=True)
def _step(state):
    """Add, else replace, else drop a vertex."""
    vertex = _draw(state, _FREE)
    if vertex >= 0:
        _add(state, vertex)
        _note_size(state)
        return
    vertex = _draw(state, _NEAR)
    if vertex >= 0:
        away = state.sum[vertex]
        choices = state.lengths[_NEAR]
        _drop(state, away)
        _add(state, vertex)
        state.tabu[away] = state.at[0] + _TENURE + below(choices, state.random)
    elif state.lengths[_CHOSEN]:
        away = state.lists[_CHOSEN, below(state.lengths[_CHOSEN], state.random)]
        _drop(state, away)
        state.tabu[away] = state.at[0] + _TENURE


@njit(cache=True)
def _start_over(state):
    while state.lengths[_CHOSEN]:
        _drop(state, state.lists[_CHOSEN, 0])
    state.tabu[:] = 0
    state.at[2], state.at[3] = 0, state.at[0]


@njit(cache=True, nogil=True)
def _search(state, target, steps):
    """Go on for a number of steps, or until the target is reached."""
    end = state.at[0] + steps
    while state.at[0] < end and state.at[1] < target:
        if state.at[0] - state.at[3] > _PATIENCE:
            _start_over(state)
        state.at[0] += 1
        _step(state)
