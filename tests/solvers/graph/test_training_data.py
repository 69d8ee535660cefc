"""Training data: planted answers are answers, and labels are answers near the draft."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from engine.training.rollout import LiveCanvases, RolloutSettings
from engine.training.source import Problems, TrainingSource
from solvers.graph.coloring.checker import is_coloring
from solvers.graph.coloring.data import ColoringSource
from solvers.graph.coloring.problem import ColoringProblem
from solvers.graph.graph import Graph
from solvers.graph.hamiltonian.checker import is_tour
from solvers.graph.hamiltonian.data import TourSource
from solvers.graph.hamiltonian.problem import HamiltonianProblem
from solvers.graph.independent_set.checker import is_independent_set
from solvers.graph.independent_set.data import IndependentSetSource
from solvers.graph.independent_set.problem import IndependentSetProblem

#: Whether tokens [n] answer a graph; the last argument is the label as it was drawn.
Answers = Callable[[Graph, list[int], list[int]], bool]


def colours(graph: Graph, tokens: list[int], label: list[int]) -> bool:
    return is_coloring(ColoringProblem(graph, 32), tokens)


def chooses(graph: Graph, tokens: list[int], label: list[int]) -> bool:
    chosen = [vertex for vertex, token in enumerate(tokens) if token]
    return is_independent_set(IndependentSetProblem(graph, max(1, sum(label))), chosen)


def visits(graph: Graph, tokens: list[int], label: list[int]) -> bool:
    order = [tokens.index(place) for place in range(graph.vertices)]
    return is_tour(HamiltonianProblem(graph, cycle=True), order)


SOURCES = [
    (ColoringSource((6, 20), 32), colours),
    (IndependentSetSource((6, 20)), chooses),
    (TourSource((5, 14), 16), visits),
]
sources = pytest.mark.parametrize(("source", "answers"), SOURCES, ids=["colours", "sets", "tours"])


def graphs_of(problems: Problems) -> list[Graph]:
    assert problems.relations is not None
    assert problems.relations.present is not None
    edges = problems.relations.masks["edge"].numpy()
    sizes = problems.relations.present.sum(dim=1).tolist()
    return [Graph.of(e[:n, :n]) for e, n in zip(edges, sizes, strict=True)]


def assert_answered(problems: Problems, labels: torch.Tensor, answers: Answers) -> None:
    for row, graph in enumerate(graphs_of(problems)):
        tokens, label = labels[row].tolist(), problems.labels[row].tolist()
        assert answers(graph, tokens[: graph.vertices], label[: graph.vertices])
    assert (labels == problems.labels)[problems.clamped].all()
    assert problems.domain.gather(-1, labels[..., None]).all()


@sources
def test_drawn_labels_are_answers_within_clamps_and_domains(
    source: TrainingSource, answers: Answers
) -> None:
    problems = source.draw(40, np.random.default_rng(1))
    assert_answered(problems, problems.labels, answers)
    assert len({graph.vertices for graph in graphs_of(problems)}) > 3
    assert problems.clamped.any()


@sources
def test_the_same_generator_draws_the_same_problems(
    source: TrainingSource, answers: Answers
) -> None:
    one, other = (source.draw(8, np.random.default_rng(7)) for _ in range(2))
    assert torch.equal(one.labels, other.labels)
    assert torch.equal(one.domain, other.domain)


@sources
def test_the_label_for_any_draft_is_an_answer(source: TrainingSource, answers: Answers) -> None:
    rng = np.random.default_rng(2)
    problems = source.draw(40, rng)
    drawn = torch.from_numpy(rng.random(problems.domain.shape)).masked_fill(~problems.domain, -1)
    assert_answered(problems, source.labels_for(problems, drawn.argmax(dim=-1)), answers)


@sources
def test_a_draft_that_is_an_answer_is_its_own_label(
    source: TrainingSource, answers: Answers
) -> None:
    rng = np.random.default_rng(3)
    problems = source.draw(40, rng)
    drawn = torch.from_numpy(rng.random(problems.domain.shape)).masked_fill(~problems.domain, -1)
    near = source.labels_for(problems, drawn.argmax(dim=-1))
    assert torch.equal(source.labels_for(problems, near), near)


@sources
def test_labels_follow_the_draft(source: TrainingSource, answers: Answers) -> None:
    """Two drafts of one problem are led to answers of their own."""
    rng = np.random.default_rng(4)
    problems = source.draw(60, rng)
    labels = []
    for _ in range(2):
        drawn = torch.from_numpy(rng.random(problems.domain.shape))
        draft = drawn.masked_fill(~problems.domain, -1).argmax(dim=-1)
        labels.append(source.labels_for(problems, draft))
        agreement = (labels[-1] == draft).float().mean()
        assert agreement >= (problems.labels == draft).float().mean()
    assert not torch.equal(*labels)


@sources
def test_live_canvases_keep_their_graphs_in_step_with_their_labels(
    source: TrainingSource, answers: Answers
) -> None:
    settings = RolloutSettings(horizon=3)
    live = LiveCanvases(source, 12, settings, np.random.default_rng(5), torch.device("cpu"))
    for _ in range(7):
        live.advance(torch.randn(live.problems.domain.shape))
        assert_answered(live.problems, live.problems.labels, answers)
        assert live.problems.domain.gather(-1, live.canvas[..., None]).all()
