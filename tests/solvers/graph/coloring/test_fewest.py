"""Fewest colours: bounds are true, better is one less, and colours are named from below."""

from hypothesis import given, settings

from solvers.graph.coloring.checker import is_coloring
from solvers.graph.coloring.fewest import FewestColors, compact
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.graph import Graph
from tests.solvers.graph.coloring.test_codec import problems
from tests.solvers.graph.reference import colorings


@settings(deadline=None)
@given(problems())
def test_the_bound_is_true_and_the_incumbent_an_answer(problem: ColoringProblem) -> None:
    if problem.conflicts():
        return
    objective, answers = FewestColors(problem), colorings(problem)
    if answers:
        assert objective.bound <= min(max(answer) + 1 for answer in answers)
    incumbent = objective.incumbent()
    if incumbent is not None:
        assert incumbent in answers


@settings(deadline=None)
@given(problems())
def test_what_is_better_has_one_colour_less(problem: ColoringProblem) -> None:
    if problem.conflicts():
        return
    objective = FewestColors(problem)
    for answer in list(colorings(problem))[:5]:
        named = compact(problem, answer)
        assert is_coloring(problem, named)
        assert max(named) <= max(answer)
        assert len(set(named)) == len(set(answer))
        better = objective.better_than(answer)
        assert better is None or better.colors == max(named)


def test_colours_that_no_clamp_names_are_named_from_below() -> None:
    path = Graph.create(4, [(0, 1), (1, 2), (2, 3)])
    problem = ColoringProblem.create(path, 9, [(0, 5)])
    assert compact(problem, (5, 8, 7, 8)) == (5, 1, 0, 1)
