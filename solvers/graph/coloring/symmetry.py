"""Colours that no clamp names are alike: give some away, so that fewer answers are the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from solvers.graph.cliques import Clique, large_clique
from solvers.graph.coloring.problem import ColoringProblem


def break_symmetry(problem: ColoringProblem) -> npt.NDArray[np.int64]:
    """Clamps that any answer can be renamed to keep.

    A vertex next to every colour that is in use takes an unused one, and all unused colours are
    alike, so it may be told which. Without clamps that colours a clique; the vertices of a large
    one come first.

    Args:
        problem: without conflicts.

    Returns:
        The colour of each clamped vertex, -1 elsewhere, int64 [n]. Its clamps are the problem's
        and others.
    """
    given = problem.given.copy()
    used = set(given[given >= 0].tolist())
    for vertex in [*_ordered(problem), *range(problem.graph.vertices)]:
        unused = next((c for c in range(problem.colors) if c not in used), None)
        if unused is None:
            break
        seen = set(given[list(problem.graph.neighbours[vertex])].tolist())
        if given[vertex] < 0 and used <= seen:
            given[vertex] = unused
            used.add(unused)
    return given


def _ordered(problem: ColoringProblem) -> Clique:
    return large_clique(problem.graph)
