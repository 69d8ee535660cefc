"""Hamiltonian paths and cycles by exact search: find one or prove that there is none.

What rules one out without search is checked first. Where no belief is to be followed, a path is
grown by rotation, which settles dense graphs. Then CP-SAT has one boolean for each direction
of each edge, and these form a circuit; a path is a circuit through one more vertex, which stands
before the first and after the last. Where more than the ends is clamped, each vertex has a
position, which grows by one along the arcs and is as far from the clamped ones as the graph says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import networkx as nx
import numpy as np
from ortools.sat.python import cp_model

from engine.canvas import Floats
from solvers.base import Completion, Method, Outcome
from solvers.deadline import deadline
from solvers.exact import Search, search
from solvers.graph.hamiltonian.necessary import is_impossible
from solvers.graph.hamiltonian.problem import HamiltonianProblem, Tour
from solvers.graph.hamiltonian.rotation import rotate
from solvers.stop import Stop

#: The boolean of each arc, by its ends; the additional vertex of a path is n.
Arcs = Mapping[tuple[int, int], cp_model.IntVar]


def complete(
    problem: HamiltonianProblem,
    belief: Floats | None,
    seed: int,
    limit_s: float,
    stop: Stop | None = None,
    workers: int = 1,
) -> Completion[Tour]:
    """Find a path or cycle or prove that there is none. Blocks, mostly without the GIL.

    Args:
        problem: clamps may contradict each other.
        belief: the model's, float32 [n, V], as hints; token t is position t, V is n or more.
        seed: same problem, belief and seed: same answer, unless time runs out.
        limit_s: seconds of search.
        stop: ends the search from another thread.
        workers: threads of CP-SAT.
    """
    begun = time.monotonic()
    if is_impossible(problem):
        return Completion(Outcome.UNSATISFIABLE)
    if problem.graph.vertices == 1:
        return Completion(Outcome.SOLVED, (0,))
    if belief is None and (turned := rotate(problem, seed)) is not None:
        return Completion(Outcome.SOLVED, turned, Method.LOCAL_SEARCH)
    model = cp_model.CpModel()
    with deadline(limit_s - (time.monotonic() - begun), stop) as over:
        arcs = _state_rules(model, problem, over)
    if arcs is None:
        return Completion(Outcome.UNDECIDED)
    if belief is not None:
        _hint(model, problem, arcs, belief)
    left_s = limit_s - (time.monotonic() - begun)
    found = search(model, Search(seed=seed, limit_s=left_s, workers=workers), stop)
    if found.outcome is not Outcome.SOLVED:
        return Completion(found.outcome)
    return Completion(Outcome.SOLVED, _read(problem, arcs, found.values))


def _state_rules(
    model: cp_model.CpModel, problem: HamiltonianProblem, over: Callable[[], bool]
) -> Arcs | None:
    """The rules; None if time runs out, as stating them takes seconds where edges are many."""
    n = problem.graph.vertices
    arcs = _state_circuit(model, problem, over)
    inner = [position for _, position in problem.clamps if position not in (0, n - 1)]
    if arcs is not None and (inner if not problem.cycle else len(problem.clamps) > 1):
        _state_positions(model, problem, arcs, over)
    return None if over() else arcs


def _state_circuit(
    model: cp_model.CpModel, problem: HamiltonianProblem, over: Callable[[], bool]
) -> Arcs | None:
    n = problem.graph.vertices
    ends = [(a, b) for edge in problem.graph.edges for a, b in (edge, edge[::-1])]
    if not problem.cycle:
        vertex_at = {position: vertex for vertex, position in problem.clamps}
        first, last = vertex_at.get(0), vertex_at.get(n - 1)
        ends += [(n, v) for v in range(n) if first in (None, v) and v != last]
        ends += [(v, n) for v in range(n) if last in (None, v) and v != first]
    arcs = {}
    for end in ends:
        if over():
            return None
        arcs[end] = model.new_bool_var("")
    model.add_circuit([(a, b, arc) for (a, b), arc in arcs.items()])
    return arcs


def _state_positions(
    model: cp_model.CpModel, problem: HamiltonianProblem, arcs: Arcs, over: Callable[[], bool]
) -> None:
    """Give vertices positions, counted around a cycle from the first clamped vertex."""
    n = problem.graph.vertices
    root, shift = problem.clamps[0] if problem.cycle else (n, 0)
    allowed = _open_positions(problem, shift)
    if not all(allowed):
        model.add_bool_or([])  # CP-SAT takes no variable without a value
        return
    position = [
        model.new_int_var_from_domain(cp_model.Domain.from_values(values), "") for values in allowed
    ]
    for (a, b), arc in arcs.items():
        if over():
            return
        if a == n:
            model.add(position[b] == 0).only_enforce_if(arc)
        elif b == root:
            model.add(position[a] == n - 1).only_enforce_if(arc)
        else:
            model.add(position[b] == position[a] + 1).only_enforce_if(arc)


def _open_positions(problem: HamiltonianProblem, shift: int) -> list[list[int]]:
    """The positions of each vertex, less ``shift``, that are no nearer to a clamp than it is."""
    n = problem.graph.vertices
    graph = nx.Graph(problem.graph.edges)
    allowed = np.ones((n, n), np.bool_)
    for clamped, place in problem.clamps:
        gap = np.abs(np.arange(n) - (place - shift) % n)
        if problem.cycle:
            gap = np.minimum(gap, n - gap)
        for vertex, distance in nx.single_source_shortest_path_length(graph, clamped).items():
            allowed[vertex] &= (gap == 0) if vertex == clamped else (gap >= distance)
    return [np.flatnonzero(row).tolist() for row in allowed]


def _hint(model: cp_model.CpModel, problem: HamiltonianProblem, arcs: Arcs, belief: Floats) -> None:
    """Suggest the arcs between vertices that come next to each other by their likeliest places."""
    n = problem.graph.vertices
    order = np.argsort(belief[:, :n].argmax(1), kind="stable").tolist()
    steps = [*pairwise(order)]
    steps += [(order[-1], order[0])] if problem.cycle else [(n, order[0]), (order[-1], n)]
    for step in steps:
        if step in arcs:
            model.add_hint(arcs[step], True)


def _read(problem: HamiltonianProblem, arcs: Arcs, values: Sequence[int]) -> Tour:
    """The tour of a solution, from the vertex at position 0."""
    n = problem.graph.vertices
    following = {a: b for (a, b), arc in arcs.items() if values[arc.index]}
    if not problem.cycle:
        root, shift = following[n], 0
    else:
        root, shift = problem.clamps[0] if problem.clamps else (0, 0)
    tour = [root]
    while len(tour) < n:
        tour.append(following[tour[-1]])
    return tuple(tour[(position - shift) % n] for position in range(n))
