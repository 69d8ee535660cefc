"""Graphs, rules along their edges and domains to try them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from engine.constraints import AtMostOne, Constraint, NotEqual, Tour
from engine.constraints.base import BatchConstraint

CPU = torch.device("cpu")
#: What tells whether tokens [n] keep a rule, by plain loops.
Keeps = Callable[[Sequence[int]], bool]


@dataclass(frozen=True, eq=False)
class RuleCase:
    """A rule of one graph, the number of its tokens, and what it means."""

    rule: Constraint
    vertices: int
    vocabulary: int
    keeps: Keeps

    def answers(self) -> np.ndarray:
        """Every canvas that keeps the rule, [answers, n]."""
        tokens = range(self.vocabulary)
        found = [c for c in product(tokens, repeat=self.vertices) if self.keeps(c)]
        return np.array(found, np.int64).reshape(-1, self.vertices)


def random_graph(n: int, chance: float, rng: np.random.Generator) -> np.ndarray:
    upper = np.triu(rng.random((n, n)) < chance, 1)
    return upper | upper.T


def edges_of(graph: np.ndarray) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in np.argwhere(np.triu(graph))]


def not_equal(graph: np.ndarray, vocabulary: int) -> RuleCase:
    def keeps(tokens: Sequence[int]) -> bool:
        return all(tokens[a] != tokens[b] for a, b in edges_of(graph))

    return RuleCase(NotEqual(graph), len(graph), vocabulary, keeps)


def at_most_one(graph: np.ndarray, least: int) -> RuleCase:
    def keeps(tokens: Sequence[int]) -> bool:
        apart = not any(tokens[a] and tokens[b] for a, b in edges_of(graph))
        return apart and sum(tokens) >= least

    return RuleCase(AtMostOne(graph, least), len(graph), 2, keeps)


def tour(graph: np.ndarray, cycle: bool) -> RuleCase:
    n = len(graph)

    def keeps(tokens: Sequence[int]) -> bool:
        if sorted(tokens) != list(range(n)):
            return False
        order = [tokens.index(place) for place in range(n)]
        steps = list(pairwise(order)) + ([(order[-1], order[0])] if cycle else [])
        return all(graph[a, b] for a, b in steps)

    return RuleCase(Tour(graph, cycle), n, n, keeps)


@st.composite
def rule_cases(draw: st.DrawFn, most: int = 5) -> RuleCase:
    """A rule of a small random graph."""
    kind = draw(st.sampled_from(["not equal", "at most one", "path", "cycle"]))
    n = draw(st.integers(3, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    graph = random_graph(n, rng.uniform(0.2, 1.0), rng)
    if kind == "not equal":
        return not_equal(graph, draw(st.integers(1, 4)))
    if kind == "at most one":
        return at_most_one(graph, draw(st.integers(0, n)))
    return tour(graph, cycle=kind == "cycle")


def random_domain(case: RuleCase, rng: np.random.Generator) -> np.ndarray:
    """Bool [n, V], at least one token a position, from nearly nothing to everything."""
    shape = case.vertices, case.vocabulary
    domain = rng.random(shape) < rng.choice([0.3, 0.6, 0.9, 1.0])
    domain[np.arange(case.vertices), rng.integers(0, case.vocabulary, case.vertices)] = True
    return domain


def alone(rule: Constraint, length: int) -> BatchConstraint:
    return rule.stack((), length, CPU)


def padded(domain: np.ndarray, length: int) -> Tensor:
    """Domain [n, V] as [1, length, V]; padding has token 0."""
    full = np.zeros((1, length, domain.shape[1]), np.bool_)
    full[0, :, 0] = True
    full[0, : len(domain)] = domain
    return torch.from_numpy(full)
