"""Independent sets by exact search: reach a size, prove it out of reach, or find the largest.

A tabu search comes first, because it nearly always finds what there is. What it does not reach is
searched for by branch and bound, which settles dense graphs in milliseconds, then by CP-SAT, whose
linear relaxation settles sparse ones that branch and bound never would, then by branch and bound
again for the time that is left.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ortools.sat.python import cp_model

from engine.canvas import Floats
from solvers.base import Completion, Method, Outcome
from solvers.exact import Search, search
from solvers.graph.cliques import edge_cover
from solvers.graph.dsatur import clique_cover_size
from solvers.graph.graph import Adjacency, Graph
from solvers.graph.independent_set.branch_and_bound import BranchAndBound
from solvers.graph.independent_set.local_search import enlarge
from solvers.graph.independent_set.problem import IndependentSet, IndependentSetProblem
from solvers.graph.independent_set.residual import Residual
from solvers.stop import Stop

#: The token of a vertex that is in the set.
_IN = 1
#: Steps of the tabu search: some tens of milliseconds.
_STEPS = 100_000
#: Shares of the time for the tabu search, for branch and bound, and for CP-SAT after it.
_LOCAL, _FIRST, _CP_SAT = 0.1, 0.2, 0.3
#: Bounds are whole numbers, up to what floating point leaves of them.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Maximum:
    """The largest set found.

    Attributes:
        vertices: the set; empty if the included vertices clash.
        proved: whether none is larger.
        bound: no set has more vertices.
        locally: whether tabu search alone found it.
    """

    vertices: IndependentSet
    proved: bool
    bound: int
    locally: bool = field(default=False, compare=False)


def complete(
    problem: IndependentSetProblem,
    belief: Floats | None,
    seed: int,
    limit_s: float,
    stop: Stop | None = None,
    workers: int = 1,
) -> Completion[IndependentSet]:
    """Find a set of the target size or prove that there is none. Blocks without holding the GIL.

    Args:
        problem: included vertices may share edges.
        belief: the model's, float32 [n, V], to start from; token 1 is in the set.
        seed: same problem, belief and seed: same answer, unless time runs out.
        limit_s: seconds of search.
        stop: ends the search from another thread.
        workers: threads of CP-SAT.
    """
    if problem.conflicts():
        return Completion(Outcome.UNSATISFIABLE)
    start = () if belief is None else tuple((belief[:, _IN] > 0.5).nonzero()[0].tolist())
    settings = Search(seed=seed, limit_s=limit_s, workers=workers, linear=True)
    best = _seek(problem, start, problem.target_size, settings, stop)
    if len(best.vertices) >= problem.target_size:
        method = Method.LOCAL_SEARCH if best.locally else Method.EXACT
        return Completion(Outcome.SOLVED, best.vertices, method)
    out_of_reach = best.bound < problem.target_size
    return Completion(Outcome.UNSATISFIABLE if out_of_reach else Outcome.UNDECIDED)


def maximise(
    problem: IndependentSetProblem,
    hint: IndependentSet | None,
    seed: int,
    limit_s: float,
    stop: Stop | None = None,
    workers: int = 1,
) -> Maximum:
    """Find the largest set, whatever the target. Blocks without holding the GIL.

    Args:
        problem: included vertices may share edges.
        hint: vertices to start from; they may clash.
        seed: same problem, hint and seed: same answer, unless time runs out.
        limit_s: seconds of search.
        stop: ends the search from another thread.
        workers: threads of CP-SAT.
    """
    if problem.conflicts():
        return Maximum((), True, 0)
    settings = Search(seed=seed, limit_s=limit_s, workers=workers, linear=True)
    return _seek(problem, hint or (), None, settings, stop)


def _seek(
    problem: IndependentSetProblem,
    start: IndependentSet,
    target: int | None,
    settings: Search,
    stop: Stop | None,
) -> Maximum:
    """Search the residual graph for ``target`` vertices, included ones counted; None for most."""
    residual = Residual.of(problem)
    given = len(problem.include)
    quest = _Quest(residual.adjacency, None if target is None else target - given, settings, stop)
    found, bound, locally = quest.run(residual.lower(start))
    return Maximum(residual.lift(found), len(found) == bound, bound + given, locally)


@dataclass(frozen=True, eq=False)
class _Quest:
    """A search for so many vertices of a graph without conditions, bool [m, m]; None for most."""

    adjacency: Adjacency
    wanted: int | None
    settings: Search
    stop: Stop | None

    @property
    def target(self) -> int:
        return len(self.adjacency) if self.wanted is None else self.wanted

    def run(self, start: Sequence[int]) -> tuple[IndependentSet, int, bool]:
        """The largest set found, and a bound on all sets; loose once the target is reached.

        And whether tabu search found it.
        """
        begun, limit_s = time.monotonic(), self.settings.limit_s
        seed, target, bound = self.settings.seed, self.target, len(self.adjacency)
        near = enlarge(self.adjacency, start, target, seed, _STEPS, _LOCAL * limit_s, self.stop)
        best = near
        if len(best) >= target:
            return best, bound, True
        tree = BranchAndBound.begin(self.adjacency, max(len(best), (self.wanted or 0) - 1))
        tree.go_on(target, _FIRST * limit_s, self.stop)
        best = max(best, tree.found, key=len)
        if max(len(best), (self.wanted or 0) - 1) < min(target, tree.bound):
            best, bound = self._relax(best)
            tree.raise_to(len(best))
            if len(best) < min(target, bound):
                tree.go_on(target, limit_s - (time.monotonic() - begun), self.stop)
                best = max(best, tree.found, key=len)
        return best, min(bound, tree.bound), len(best) == len(near)

    def _relax(self, best: IndependentSet) -> tuple[IndependentSet, int]:
        """Search by CP-SAT: the largest set known then, and a bound on all sets."""
        model, graph = cp_model.CpModel(), Graph.of(self.adjacency)
        chosen = [model.new_bool_var("") for _ in range(graph.vertices)]
        for clique in edge_cover(graph):
            model.add_at_most_one(chosen[vertex] for vertex in clique)
        for vertex, literal in enumerate(chosen):
            model.add_hint(literal, vertex in best)
        if self.wanted is None:
            model.maximize(sum(chosen))
        else:
            model.add(sum(chosen) >= self.wanted)
        share = replace(self.settings, limit_s=_CP_SAT * self.settings.limit_s)
        found = search(model, share, self.stop)
        if found.outcome is Outcome.UNSATISFIABLE:
            return best, self.target - 1
        bound = clique_cover_size(graph)
        if found.outcome is Outcome.SOLVED:
            best = tuple(v for v, taken in enumerate(found.values) if taken)
            if self.wanted is None:
                bound = min(bound, int(found.bound + _ROUNDING))
        return best, bound
