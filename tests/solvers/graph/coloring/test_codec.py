"""Colourings as canvases: clamps, broken symmetry, domains, and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.canvas import FREE, CanvasResult, FinishReason
from engine.client import ModelInfo
from solvers.graph.coloring import codec
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.coloring.solver import ColoringSolver
from solvers.graph.coloring.symmetry import break_symmetry
from solvers.graph.graph import Graph
from tests.solvers.graph.reference import colorings, graphs, random_graph


@st.composite
def problems(draw: st.DrawFn) -> ColoringProblem:
    graph, colors = draw(graphs(5)), draw(st.integers(1, 4))
    clamps = draw(
        st.dictionaries(st.integers(0, graph.vertices - 1), st.integers(0, colors - 1), max_size=3)
    )
    return ColoringProblem.create(graph, colors, clamps.items())


@settings(deadline=None)
@given(problems())
def test_breaking_symmetry_keeps_the_clamps_and_loses_no_kind_of_answer(
    problem: ColoringProblem,
) -> None:
    if problem.conflicts():
        return
    given_colors = break_symmetry(problem)
    assert all(given_colors[v] == c for v, c in problem.clamps)
    answers = colorings(problem)
    kept = [a for a in answers if all(g in (FREE, c) for g, c in zip(given_colors, a, strict=True))]
    assert bool(kept) == bool(answers)


def test_without_clamps_a_clique_is_coloured() -> None:
    graph = random_graph(30, 0.5, 3)
    given_colors = break_symmetry(ColoringProblem(graph, 20))
    clique = np.flatnonzero(given_colors != FREE)
    assert len(clique) >= 5
    assert all(graph.adjacency[a, b] for a in clique for b in clique if a != b)
    assert sorted(given_colors[clique]) == list(range(len(clique)))


def test_a_canvas_has_the_colours_as_domain_and_the_edges_as_relation() -> None:
    graph = Graph.create(3, [(0, 1), (1, 2)])
    request = codec.encode(ColoringProblem(graph, 2, ((2, 1),)))
    request.validate(codec.VOCABULARY, 512)
    assert request.domain is not None
    assert request.domain.mask()[:, :2].all()
    assert not request.domain.mask()[:, 2:].any()
    assert request.clamps[2] == 1
    assert request.relations is not None
    assert (request.relations.matrices["edge"] == graph.adjacency).all()


@pytest.mark.parametrize(("vertices", "colors"), [(513, 3), (4, 33)])
def test_what_the_model_cannot_hold_is_said(vertices: int, colors: int) -> None:
    info = ModelInfo("m", "coloring", 1, "d", "cpu", "float32", 512, codec.VOCABULARY, 64, 64)
    problem = ColoringProblem(Graph(vertices, ()), colors)
    misfit = ColoringSolver().misfit(problem, info)
    assert misfit is not None
    assert f"{vertices} and {colors}" in misfit
    assert ColoringSolver().misfit(ColoringProblem(Graph(512, ()), 32), info) is None


def test_drafts_are_ordered_by_conflicts_then_by_entropy() -> None:
    problem = ColoringProblem(Graph.create(3, [(0, 1), (1, 2)]), 2)

    def result(tokens: list[int], entropy: float) -> CanvasResult:
        flat = np.full(3, entropy, np.float32)
        return CanvasResult(np.array(tokens), flat, flat, FinishReason.MAX_STEPS, 1, 0.0, 0.0)

    ordered = [
        result([0, 1, 0], 0.1), result([0, 1, 0], 0.9), result([0, 0, 1], 0.0), result([0, 0, 0], 0)
    ]  # fmt: skip
    badness = [ColoringSolver().badness(problem, r) for r in ordered]
    assert badness == sorted(badness)
    assert len(set(badness)) == 4
