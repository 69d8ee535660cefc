"""Step-level batching: joining, leaving, and the same answer in any company."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batcher import CanvasBatch
from engine.canvas import FREE, CanvasRequest, CanvasResult, FinishReason, SamplingParams
from engine.constraints import AtMostOne, Constraint, NotEqual, Tour
from engine.domain import Domain
from engine.kernels.cpu_stepper import CpuStepper
from engine.layout import Layout
from engine.model import DiffusionGemma
from engine.relations import Relations
from engine.stepper import Stepper
from engine.ticket import Ticket
from solvers.graph.network import graph_config
from tests.engine.edge_cases import random_graph
from tests.engine.factories import (
    CELLS,
    CONSTRAINT,
    VOCABULARY,
    latin_request,
    small_model,
)


def run_together(
    model: DiffusionGemma,
    requests: list[CanvasRequest],
    joining: list[int] | None = None,
    fast: Stepper | None = None,
    bucket: int = 1,
) -> list[CanvasResult]:
    """Denoise requests in one batch; ``joining[i]`` is the step at which request i joins."""
    joining = joining or [0] * len(requests)
    tickets = [Ticket(request) for request in requests]
    batch = CanvasBatch(model, Layout.of(requests[0], bucket), fast)
    results: dict[Ticket, CanvasResult] = {}
    step = 0
    while len(results) < len(requests):
        arriving = [t for t, at in zip(tickets, joining, strict=True) if at == step]
        departures = batch.admit(arriving) if arriving else []
        for departure in (*departures, *batch.step().departures):
            results[departure.ticket] = departure.result
        step += 1
    return [results[ticket] for ticket in tickets]


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_the_same_seed_gives_the_same_answer_in_any_batch(threads: int | None) -> None:
    model, chooser = small_model(), random.Random(0)
    fast = CpuStepper(model, threads) if threads else None
    requests = [
        latin_request(
            {chooser.randrange(CELLS): chooser.randrange(1, VOCABULARY)},
            seed=seed,
            guided=seed % 3 == 0,
            sampling=SamplingParams(max_steps=chooser.randrange(1, 14), confidence=0.0),
        )
        for seed in range(60)
    ]
    alone = [run_together(model, [request], fast=fast)[0] for request in requests]
    for _ in range(2):
        order = chooser.sample(range(60), 60)
        joining = [chooser.randrange(12) for _ in order]
        mixed = run_together(model, [requests[i] for i in order], joining, fast)
        for index, result in zip(order, mixed, strict=True):
            assert np.array_equal(result.tokens, alone[index].tokens)
            assert result.steps == alone[index].steps


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("first_belief", ["uniform", "zero"])
@settings(max_examples=25, deadline=None)
@given(
    clues=st.dictionaries(st.integers(0, CELLS - 1), st.integers(1, VOCABULARY - 1)),
    guided=st.booleans(),
)
def test_every_draft_and_answer_holds_clamps_and_domains(
    compiled: bool, first_belief: str, clues: dict[int, int], guided: bool
) -> None:
    request = latin_request(clues, guided=guided)
    model = small_model(first_belief=first_belief)
    batch = CanvasBatch(model, Layout.of(request), CpuStepper(model, 1) if compiled else None)
    shown = [d.result.tokens for d in batch.admit([Ticket(request, wants_drafts=True)])]
    while len(batch):
        outcome = batch.step()
        shown += [draft.tokens for _, draft in outcome.events]
        shown += [departure.result.tokens for departure in outcome.departures]
    assert request.domain is not None
    for tokens in shown:
        assert all(tokens[cell] == digit for cell, digit in clues.items())
        assert request.domain.allows(np.arange(CELLS), tokens).all()


def test_a_cancelled_canvas_takes_no_further_step_and_the_others_go_on() -> None:
    model = small_model()
    tickets = [Ticket(latin_request(seed=seed, constraint=None)) for seed in range(3)]
    batch = CanvasBatch(model, Layout.of(tickets[0].request))
    batch.admit(tickets)
    batch.step()
    tickets[1].cancelled = True
    finished = []
    while len(batch):
        finished += [departure.ticket for departure in batch.step().departures]
    assert finished == [tickets[0], tickets[2]]


def test_a_satisfied_draft_leaves_at_once() -> None:
    solved = [1, 2, 3, 4, 2, 1, 4, 3, 3, 4, 1, 2, 4, 3, 2, 1]
    (result,) = run_together(small_model(), [latin_request(dict(enumerate(solved)))])
    assert result.reason is FinishReason.SATISFIED
    assert result.steps == 1
    assert result.tokens.tolist() == solved


def test_guidance_proves_a_contradiction_before_any_step() -> None:
    clues = {0: 1, 1: 2, 2: 3, 7: 4}  # cell 3 sees all four digits
    (result,) = run_together(small_model(), [latin_request(clues, guided=True)])
    assert result.reason is FinishReason.CONTRADICTION
    assert result.steps == 0


def test_guidance_alone_solves_what_propagation_can() -> None:
    clues = dict(enumerate([1, 2, 3, 4, 2, 1, 4, 3, 3, 4, 1, 2]))
    (result,) = run_together(small_model(), [latin_request(clues, guided=True)])
    assert result.reason is FinishReason.SATISFIED
    assert not CONSTRAINT.violations(torch.from_numpy(result.tokens)[None]).any()


def test_a_guided_canvas_dives() -> None:
    one_step = SamplingParams(max_steps=1)
    (result,) = run_together(small_model(), [latin_request({0: 1}, guided=True, sampling=one_step)])
    assert result.reason is FinishReason.SATISFIED


def test_the_belief_of_a_guided_canvas_alone_is_projected() -> None:
    wanted = {"sampling": SamplingParams(max_steps=1), "wants_belief": True}
    requests = [latin_request(guided=guided, **wanted) for guided in (False, True)]
    plain, guided = (torch.from_numpy(r.belief) for r in run_together(small_model(), requests))
    torch.testing.assert_close(guided, CONSTRAINT.project(plain[None])[0])
    assert not torch.allclose(guided, plain, atol=1e-3)


class AnyRule:
    """The same rule as ``CONSTRAINT``, unknown to compiled code."""

    violations, prune, project = CONSTRAINT.violations, CONSTRAINT.prune, CONSTRAINT.project

    @property
    def family(self) -> "AnyRule":
        return self

    def stack(self, others: object, length: int, device: torch.device) -> "AnyRule":
        return self

    def keep(self, rows: torch.Tensor) -> "AnyRule":
        return self


def test_a_rule_without_compiled_code_guides_to_the_same_answers() -> None:
    sampling = SamplingParams(max_steps=5, confidence=0.0)
    requests = [latin_request({0: 1}, seed=s, guided=True, sampling=sampling) for s in range(20)]
    rule = AnyRule()
    eager = [replace(request, constraint=rule) for request in requests]
    fast, slow = (run_together(small_model(), canvases) for canvases in (requests, eager))
    for one, other in zip(fast, slow, strict=True):
        assert np.array_equal(one.tokens, other.tokens)
        assert one.steps == other.steps


def test_the_step_budget_is_kept() -> None:
    (result,) = run_together(
        small_model(),
        [latin_request(constraint=None, sampling=SamplingParams(max_steps=3, confidence=0.0))],
    )
    assert (result.reason, result.steps) == (FinishReason.MAX_STEPS, 3)


def test_a_stable_and_confident_canvas_stops_early() -> None:
    sure = SamplingParams(max_steps=40, stability=0, confidence=100.0)
    (result,) = run_together(small_model(), [latin_request(constraint=None, sampling=sure)])
    assert (result.reason, result.steps) == (FinishReason.STABLE, 1)


def test_the_belief_is_returned_when_wanted_and_is_one_hot_at_clamps() -> None:
    (result,) = run_together(small_model(), [latin_request({5: 2}, wants_belief=True)])
    assert result.belief is not None
    assert result.belief[5].tolist() == pytest.approx([0, 0, 1, 0, 0])
    assert result.belief.sum(axis=1) == pytest.approx(np.ones(CELLS), abs=1e-5)


def graph_requests(count: int, lengths: Sequence[int], guided: bool = False) -> list[CanvasRequest]:
    """Colourings of random graphs, each with relations and a rule of its own."""
    rng = np.random.default_rng(count)
    graphs = [random_graph(lengths[i % len(lengths)], 0.3, rng) for i in range(count)]
    return [
        CanvasRequest(
            clamps=np.array([0] + [FREE] * (len(graph) - 1)),
            domain=Domain.everywhere(np.arange(5) < 4, len(graph)),
            relations=Relations(len(graph), {"edge": graph}),
            constraint=NotEqual(graph),
            guided=guided and seed % 2 == 0,
            seed=seed,
            sampling=SamplingParams(max_steps=6, confidence=0.0),
        )
        for seed, graph in enumerate(graphs)
    ]


def graph_model(vocabulary: int = 5) -> DiffusionGemma:
    model = DiffusionGemma(graph_config("any", vocabulary, width=32, depth=2))
    model.init_weights(torch.Generator().manual_seed(0))
    return model.requires_grad_(False).eval()


RULES: dict[str, Callable[[np.ndarray], Constraint]] = {
    "not equal": NotEqual,
    "at most one": lambda graph: AtMostOne(graph, 9),
    "tour": lambda graph: Tour(graph, cycle=False),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("threads", [None, 2])
def test_different_graphs_of_one_size_share_a_batch(
    threads: int | None, guided: bool, rule: str
) -> None:
    model, chooser = graph_model(25), random.Random(1)
    fast = CpuStepper(model, threads) if threads else None
    tokens = {"not equal": 4, "at most one": 2, "tour": 24}[rule]
    requests = [
        replace(
            request,
            domain=Domain.everywhere(np.arange(25) < tokens, 24),
            constraint=RULES[rule](request.relations.matrices["edge"]),
            wants_belief=True,
        )
        for request in graph_requests(12, [24], guided)
        if request.relations is not None
    ]
    assert len({Layout.of(request) for request in requests}) == 1
    alone = [run_together(model, [request], fast=fast)[0] for request in requests]
    joining = [chooser.randrange(5) for _ in requests]
    for one, other in zip(alone, run_together(model, requests, joining, fast), strict=True):
        assert np.array_equal(one.tokens, other.tokens)
        assert (one.steps, one.reason) == (other.steps, other.reason)
        if threads:  # eager matrix products may round with the size of the batch
            assert np.array_equal(one.belief, other.belief)


@pytest.mark.parametrize("guided", [False, True])
def test_graphs_of_different_sizes_share_a_batch_where_canvases_are_padded(guided: bool) -> None:
    model = graph_model()
    requests = graph_requests(9, [5, 11, 16], guided)
    layouts = {Layout.of(request, bucket=16) for request in requests}
    assert {layout.length for layout in layouts} == {16}
    mixed = run_together(model, requests, bucket=16)
    for request, found in zip(requests, mixed, strict=True):
        (own,) = run_together(model, [request])
        assert np.array_equal(found.tokens, own.tokens)
        assert found.entropy.shape == own.entropy.shape == (request.length,)
        assert found.steps == own.steps


def test_a_graph_that_cannot_be_coloured_departs_from_a_mixed_batch_at_once() -> None:
    hopeless = np.ones((6, 6), bool) & ~np.eye(6, dtype=bool)
    (request,) = graph_requests(1, [6], guided=True)
    other = graph_requests(3, [6], guided=True)
    request = replace(
        request,
        relations=Relations(6, {"edge": hopeless}),
        constraint=NotEqual(hopeless),
        clamps=np.array([0, 1, 2, 3, FREE, FREE]),
    )
    # A complete graph is a partition, which canvases share; with one edge less it is not.
    hopeless[4, 5] = hopeless[5, 4] = False
    results = run_together(graph_model(), [*other, request])
    assert results[-1].reason is FinishReason.CONTRADICTION
    assert all(r.reason is not FinishReason.CONTRADICTION for r in results[:-1])
