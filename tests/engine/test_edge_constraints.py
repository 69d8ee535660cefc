"""The rules along edges mean what they say and drop no token of an answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.constraints import AtMostOne, NotEqual, Tour
from engine.kernels.cpu_guide import cpu_guide
from tests.engine.edge_cases import (
    CPU,
    RuleCase,
    alone,
    at_most_one,
    not_equal,
    padded,
    random_domain,
    random_graph,
    rule_cases,
    tour,
)

SEEDS = st.integers(0, 2**32 - 1)


@given(rule_cases(), SEEDS)
def test_there_are_no_violations_exactly_where_the_rule_is_kept(case: RuleCase, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, case.vocabulary, (40, case.vertices))
    answers = case.answers()
    tokens = np.concatenate([drawn, rng.permutation(answers)[:10]])
    for row in tokens:
        violations = alone(case.rule, case.vertices).violations(torch.from_numpy(row[None]))
        assert (int(violations) == 0) == case.keeps(row.tolist())


@given(rule_cases(), SEEDS)
def test_pruning_drops_no_token_of_an_answer(case: RuleCase, seed: int) -> None:
    domain = random_domain(case, np.random.default_rng(seed))
    pruned = alone(case.rule, case.vertices).prune(torch.from_numpy(domain[None]))[0].numpy()
    positions, answers = np.arange(case.vertices), case.answers()
    fitting = answers[domain[positions, answers].all(axis=1)]
    assert not (pruned & ~domain).any()
    assert pruned[positions, fitting].all()
    assert pruned.any(axis=1).all() or not pruned.any()


@given(rule_cases(), SEEDS)
def test_pruning_a_full_canvas_tells_whether_it_is_an_answer(case: RuleCase, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, case.vocabulary, (20, case.vertices))
    tokens = np.concatenate([tokens, rng.permutation(case.answers())[:5]])
    for row in tokens:
        certain = torch.eye(case.vocabulary, dtype=torch.bool)[torch.from_numpy(row)][None]
        pruned = alone(case.rule, case.vertices).prune(certain)
        assert torch.equal(pruned, certain & case.keeps(row.tolist()))


@given(st.lists(rule_cases(), min_size=2, max_size=6), SEEDS)
def test_a_graph_in_a_padded_batch_is_treated_as_alone(cases: list[RuleCase], seed: int) -> None:
    kind = type(cases[0].rule)
    cases = [replace(c, vocabulary=8) for c in cases if isinstance(c.rule, kind)]
    if kind is AtMostOne:
        cases = [replace(c, vocabulary=2) for c in cases]
    rng = np.random.default_rng(seed)
    domains = [random_domain(case, rng) for case in cases]
    if kind is Tour:
        for case, domain in zip(cases, domains, strict=True):
            domain[:, case.vertices :] = False
            domain[~domain.any(axis=1), 0] = True
    length = 9
    batch = torch.cat([padded(domain, length) for domain in domains])
    rule = cases[0].rule.stack([c.rule for c in cases[1:]], length, CPU)
    pruned, belief = rule.prune(batch), rule.project(batch / batch.sum(dim=-1, keepdim=True))
    draft = batch.float().argmax(dim=-1)
    violations = rule.violations(draft)
    for row, (case, domain) in enumerate(zip(cases, domains, strict=True)):
        n, single = case.vertices, alone(case.rule, case.vertices)
        own = torch.from_numpy(domain[None])
        assert torch.equal(pruned[row, :n], single.prune(own)[0])
        expected = single.project(own / own.sum(dim=-1, keepdim=True))[0]
        assert torch.allclose(belief[row, :n], expected, atol=1e-5)
        assert int(violations[row]) == int(single.violations(draft[row : row + 1, :n]))


@given(rule_cases(), SEEDS)
def test_a_projected_belief_is_a_belief_on_the_same_tokens(case: RuleCase, seed: int) -> None:
    domain = torch.from_numpy(random_domain(case, np.random.default_rng(seed))[None])
    belief = domain / domain.sum(dim=-1, keepdim=True)
    projected = alone(case.rule, case.vertices).project(belief)
    assert torch.allclose(projected.sum(dim=-1), torch.ones(1, case.vertices), atol=1e-5)
    assert (projected[~domain] == 0).all()
    assert (projected >= 0).all()


@pytest.mark.parametrize(
    "case",
    [not_equal(random_graph(5, 0.5, np.random.default_rng(1)), 3),
     at_most_one(random_graph(5, 0.5, np.random.default_rng(1)), 2),
     tour(np.ones((5, 5), bool) & ~np.eye(5, dtype=bool), cycle=True)],
    ids=["not equal", "at most one", "tour"],
)  # fmt: skip
def test_an_answer_is_projected_to_itself(case: RuleCase) -> None:
    answer = torch.from_numpy(case.answers()[:1])
    belief = torch.nn.functional.one_hot(answer, case.vocabulary).float()
    assert torch.allclose(alone(case.rule, case.vertices).project(belief), belief, atol=1e-4)


def test_a_neighbours_certainty_moves_the_belief() -> None:
    pair = np.array([[False, True], [True, False]])
    belief = torch.tensor([[[0.9, 0.1], [0.5, 0.5]]])
    assert alone(NotEqual(pair), 2).project(belief)[0, 1, 1] > 0.8
    assert alone(AtMostOne(pair), 2).project(belief.flip(-1))[0, 1, 0] > 0.8


def test_a_size_to_reach_raises_the_belief_in_choices() -> None:
    lonely = np.zeros((4, 4), bool)
    belief = torch.tensor([0.9, 0.1]).expand(1, 4, 2)
    assert alone(AtMostOne(lonely, least=3), 4).project(belief)[0, :, 1].sum() > 2


@settings(max_examples=50)
@given(st.lists(rule_cases(most=12), min_size=1, max_size=5), SEEDS)
def test_compiled_pruning_equals_the_reference(cases: list[RuleCase], seed: int) -> None:
    kind = type(cases[0].rule)
    cases = [c for c in cases if isinstance(c.rule, kind) and c.vertices == cases[0].vertices]
    cases = [replace(c, vocabulary=cases[0].vocabulary) for c in cases]
    rng = np.random.default_rng(seed)
    domain = torch.from_numpy(np.stack([random_domain(case, rng) for case in cases]))
    rule = cases[0].rule.stack([c.rule for c in cases[1:]], cases[0].vertices, CPU)
    fast = cpu_guide(rule, CPU, cases[0].vocabulary)
    assert fast is not None
    assert torch.equal(fast.prune(domain), rule.prune(domain))


def test_a_rule_of_some_rows_is_that_of_those_graphs() -> None:
    rng = np.random.default_rng(3)
    graphs = [random_graph(6, 0.5, rng) for _ in range(4)]
    for rules in (
        [NotEqual(g) for g in graphs],
        [AtMostOne(g, i) for i, g in enumerate(graphs)],
        [Tour(g, i % 2 == 0) for i, g in enumerate(graphs)],
    ):
        tokens = torch.from_numpy(rng.permuted(np.tile(np.arange(6), (4, 1)), axis=1))
        tokens = tokens % 2 if isinstance(rules[0], AtMostOne) else tokens
        rule, rows = rules[0].stack(rules[1:], 6, CPU), torch.tensor([3, 1])  # type: ignore[arg-type]
        assert torch.equal(rule.keep(rows).violations(tokens[rows]), rule.violations(tokens)[rows])
