"""The compiled guide prunes and dives to the very bits of the reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.constraints import AllDifferent
from engine.guidance import EagerGuide
from engine.kernels.cpu_guide import CpuGuide, cpu_guide
from engine.kernels.cpu_masks import MAX_TOKENS
from engine.sampler import StepResult
from tests.engine.factories import CONSTRAINT, VOCABULARY
from tests.solvers.sudoku.reference import units

BOXES = [(2, 2), (2, 3), (3, 3), (2, 4), (4, 4)]
CPU = torch.device("cpu")
BATCH = 12


def sudoku(rows: int, cols: int) -> AllDifferent:
    return AllDifferent((rows * cols) ** 2, np.array([sorted(unit) for unit in units(rows, cols)]))


def grid(rows: int, cols: int) -> np.ndarray:
    """A full grid of digits from 0."""
    size = rows * cols
    row, column = np.divmod(np.arange(size * size), size)
    return (row % rows * cols + row // rows + column) % size


@st.composite
def sudokus(draw: st.DrawFn) -> tuple[AllDifferent, Tensor]:
    """A rule and a batch of domains: some complete a grid, some are spoiled, some are noise."""
    box = draw(st.sampled_from(BOXES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rule, answer, size = sudoku(*box), grid(*box), box[0] * box[1]
    shape = BATCH, size * size, size
    domain = rng.random(shape) < rng.choice([0.2, 0.5, 0.8, 1.0], (BATCH, 1, 1))
    fitting = np.eye(size, dtype=bool)[rng.permutation(size)[answer]]
    sound = rng.random(BATCH) < 0.8
    domain[sound] |= fitting
    clue = rng.random(shape[:2]) < rng.random((BATCH, 1)) * 0.8
    domain[clue] = np.where(rng.random((*shape[:2], 1)) < 0.99, fitting, fitting[::-1])[clue]
    return rule, torch.from_numpy(domain)


@st.composite
def loose(draw: st.DrawFn) -> tuple[AllDifferent, Tensor]:
    """Groups of random positions, with as many tokens as positions or more; some lie in none."""
    size, length = draw(st.integers(1, 6)), draw(st.integers(6, 20))
    tokens = draw(st.integers(1, 9) | st.sampled_from([MAX_TOKENS - 1, MAX_TOKENS]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    groups = np.array([rng.permutation(length)[:size] for _ in range(draw(st.integers(1, 8)))])
    density = rng.random((BATCH, 1, 1))
    domain = rng.random((BATCH, length, tokens)) < density
    domain |= np.eye(tokens, dtype=bool)[rng.integers(0, tokens, (BATCH, length))]
    if draw(st.booleans()):
        domain &= rng.random((BATCH, length, 1)) < 0.98
    return AllDifferent(length, groups, complete=False), torch.from_numpy(domain)


def guides(rule: AllDifferent, vocabulary: int) -> tuple[CpuGuide, EagerGuide]:
    fast = cpu_guide(rule, CPU, vocabulary)
    assert fast is not None
    return fast, EagerGuide(rule)


def a_step(domain: Tensor, seed: int, sharpness: float) -> tuple[StepResult, Tensor]:
    """A belief inside the domains, without mass on some of its tokens, and draws."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(domain.shape, generator=generator)
    belief = logits.masked_fill(~domain, -torch.inf).softmax(dim=-1)
    uniform = torch.rand(domain.shape, generator=generator).clamp(1e-7, 1 - 1e-7)
    cells = torch.zeros(domain.shape[:2], dtype=torch.int64)
    floats = cells.float()
    step = StepResult(belief, cells, cells, cells > 0, floats, floats)
    return step, -torch.log(-torch.log(uniform))


@given(sudokus() | loose())
def test_pruning_equals_the_reference(case: tuple[AllDifferent, Tensor]) -> None:
    rule, domain = case
    fast, reference = guides(rule, domain.shape[-1])
    assert torch.equal(fast.prune(domain), reference.prune(domain))


@given(sudokus() | loose(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 10.0, 100.0]))
def test_a_dive_equals_the_reference(
    case: tuple[AllDifferent, Tensor], seed: int, sharpness: float
) -> None:
    rule, domain = case
    fast, reference = guides(rule, domain.shape[-1])
    pruned = reference.prune(domain)
    pruned = pruned[pruned.any(dim=-1).all(dim=-1)]
    step, gumbel = a_step(pruned, seed, sharpness)
    draft = fast.dive(step, pruned, gumbel).draft
    assert torch.equal(draft, reference.dive(step, pruned, gumbel).draft)


@given(sudokus(), st.integers(0, 2**32 - 1))
def test_a_canvas_is_guided_alone(case: tuple[AllDifferent, Tensor], seed: int) -> None:
    rule, domain = case
    fast, _ = guides(rule, domain.shape[-1])
    pruned = fast.prune(domain)
    apart = torch.cat([fast.prune(one) for one in domain.split(1)])
    assert torch.equal(pruned, apart)
    pruned = pruned[pruned.any(dim=-1).all(dim=-1)]
    step, gumbel = a_step(pruned, seed, 1.0)
    for b in range(len(pruned)):
        row = torch.tensor([b])
        alone = fast.dive(step.keep(row), pruned[row], gumbel[row])
        assert torch.equal(alone.draft, fast.dive(step, pruned, gumbel).draft[row])


def test_the_last_token_of_a_mask_is_a_token() -> None:
    everyone = AllDifferent(MAX_TOKENS, np.arange(MAX_TOKENS)[None])
    fast, _ = guides(everyone, MAX_TOKENS)
    domain = torch.ones(1, MAX_TOKENS, MAX_TOKENS, dtype=torch.bool)
    domain[0, :-1, -1] = False  # the last token has one place left
    pruned = fast.prune(domain)
    assert pruned[0, -1].nonzero().tolist() == [[MAX_TOKENS - 1]]
    assert pruned[0, :-1].sum(dim=-1).tolist() == [MAX_TOKENS - 1] * (MAX_TOKENS - 1)


class OtherRule:
    """A constraint that no compiled code knows."""

    violations, prune, project = CONSTRAINT.violations, CONSTRAINT.prune, CONSTRAINT.project


@pytest.mark.parametrize(
    ("rule", "device", "vocabulary"),
    [
        (CONSTRAINT, "cuda", VOCABULARY),
        (CONSTRAINT, "cpu", MAX_TOKENS + 1),
        (OtherRule(), "cpu", VOCABULARY),
    ],
)
def test_what_compiled_code_does_not_know_is_left_to_the_reference(
    rule: OtherRule, device: str, vocabulary: int
) -> None:
    assert cpu_guide(rule, torch.device(device), vocabulary) is None
