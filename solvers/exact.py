"""The bridge to OR-tools CP-SAT: boolean choices, a bounded search, what it proved.

Knows no puzzle. A solver states its rules on a ``CpModel`` and calls ``search``.

Choices are booleans under exactly-one, and by default the search leaves out linear relaxation,
probing and symmetry detection: on Sudokus that take searching this is up to five times as fast, and
on the others all ways take a few milliseconds (``benchmarks/exact.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from solvers.base import Outcome
from solvers.stop import Stop

_MAX_SEED = 2**31 - 1


class ModelError(ValueError):
    """A model that CP-SAT refuses: a mistake of the solver that built it, not of its problem."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How to search.

    Attributes:
        seed: with one worker, the same model and seed give the same result unless time runs out.
        limit_s: wall-clock seconds of search; 0 or less is spent at once.
        workers: threads. More than one is faster on hard models and no longer deterministic.
        linear: whether to use linear relaxations, which pay with an objective or with sums.
        hint_conflicts: conflicts spent on the hints before they are left.
    """

    seed: int
    limit_s: float
    workers: int = 1
    linear: bool = False
    hint_conflicts: int = 300


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        outcome: SOLVED with values, UNSATISFIABLE if proved, UNDECIDED if time ran out or the
            search was stopped.
        values: of every variable, by its index; empty unless SOLVED.
        optimal: whether no solution has a better objective; True for SOLVED without an objective.
        bound: the best objective that is still possible; 0 without an objective.
        conflicts: met in the search.
    """

    outcome: Outcome
    values: tuple[int, ...]
    optimal: bool
    bound: float
    conflicts: int


@dataclass(frozen=True, eq=False)
class Choices:
    """Positions that take one token each.

    Attributes:
        literals: for each position, token -> the boolean that says it is taken.
    """

    literals: Sequence[Mapping[int, cp_model.IntVar]]

    def taking(self, positions: Sequence[int], token: int) -> list[cp_model.IntVar]:
        """The booleans of those ``positions`` that may take ``token``."""
        rows = (self.literals[position] for position in positions)
        return [row[token] for row in rows if token in row]

    def read(self, values: Sequence[int]) -> tuple[int, ...]:
        """The token of every position in a solution."""
        return tuple(
            next(token for token, literal in row.items() if values[literal.index])
            for row in self.literals
        )


def choose(model: cp_model.CpModel, domain: npt.NDArray[np.bool_]) -> Choices:
    """State that every position takes exactly one token of its domain, bool [L, V].

    A position without a token makes the model unsatisfiable.
    """
    literals: list[dict[int, cp_model.IntVar]] = [{} for _ in range(len(domain))]
    for position, token in zip(*(axis.tolist() for axis in np.nonzero(domain)), strict=True):
        literals[position][token] = model.new_bool_var("")
    for row in literals:
        model.add_exactly_one(row.values())
    return Choices(literals)


def hint_belief(model: cp_model.CpModel, choices: Choices, belief: npt.NDArray[np.float32]) -> None:
    """Suggest the likeliest allowed token of every position; belief is float32 [L, V].

    Only what is taken is hinted, not what is left, the most certain positions first: that helped
    most where there are many answers and cost least where the belief was wrong, which is dropped
    after ``Search.hint_conflicts``.
    """
    best = [
        max(((float(belief[position, token]), token) for token in row), default=None)
        for position, row in enumerate(choices.literals)
    ]
    ranked = [(pair, position) for position, pair in enumerate(best) if pair is not None]
    for (_, token), position in sorted(ranked, key=lambda entry: -entry[0][0]):
        model.add_hint(choices.literals[position][token], True)


def search(model: cp_model.CpModel, settings: Search, stop: Stop | None = None) -> Found:
    """Search a model. Blocks without holding the GIL, so call it from a thread.

    Args:
        model: rules, and hints if any; spent afterwards.
        settings: how to search.
        stop: ends the search from another thread, within milliseconds; None for never.

    Raises:
        ModelError: CP-SAT refuses the model. Running out of time raises nothing.
    """
    solver = cp_model.CpSolver()
    _configure(solver, settings)

    def end() -> None:
        # What has begun is told to stop. What has not finds no time left when it does: the solver
        # reads its parameters only after it can be told.
        solver.parameters.max_time_in_seconds = 0.0
        solver.stop_search()

    with (stop or Stop()).obeyed_by(end):
        status = solver.solve(model)
    if status == cp_model.MODEL_INVALID:
        raise ModelError(model.validate())
    # A model holds methods bound to itself, and would stay until Python looks for such rings, which
    # it seldom does; a large one is a hundred megabytes.
    vars(model).clear()
    solved = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    outcome = Outcome.SOLVED if solved else Outcome.UNDECIDED
    return Found(
        outcome=Outcome.UNSATISFIABLE if status == cp_model.INFEASIBLE else outcome,
        values=tuple(solver.response_proto.solution) if solved else (),
        optimal=status == cp_model.OPTIMAL,
        bound=solver.best_objective_bound,
        conflicts=solver.num_conflicts,
    )


def _configure(solver: cp_model.CpSolver, settings: Search) -> None:
    parameters = solver.parameters
    parameters.num_workers = settings.workers
    parameters.random_seed = settings.seed % _MAX_SEED
    parameters.max_time_in_seconds = max(0.0, settings.limit_s)
    parameters.hint_conflict_limit = settings.hint_conflicts
    # Level 1 leaves out clauses and small at-most-ones, which is all that a graph may consist of.
    parameters.linearization_level = 2 if settings.linear else 0
    parameters.cp_model_probing_level = 0
    parameters.symmetry_level = 0
    # CP-SAT would take Ctrl-C from the server that it runs in.
    parameters.catch_sigint_signal = False
