from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.constraints import AllDifferent
from engine.kernels.cpu_guide import cpu_guide
from tests.solvers.sudoku.reference import small_grids, units

GRIDS = np.array(small_grids())  # [288, 16], tokens 1 to 4
SUDOKU = AllDifferent(16, np.array([sorted(unit) for unit in units(2, 2)]))
#: Three positions of a row, two rows, one column that joins them; five tokens, none of which must
#: occur.
LOOSE = AllDifferent(6, np.array([[0, 1, 2], [3, 4, 5], [0, 3, 4]]), complete=False)
LOOSE_TOKENS = 5


def loose_answers() -> np.ndarray:
    canvases = np.array(list(product(range(LOOSE_TOKENS), repeat=6)))
    differ = [
        (canvases[:, a] != canvases[:, b])
        for group in LOOSE.groups.tolist()
        for i, a in enumerate(group)
        for b in group[:i]
    ]
    return canvases[np.all(differ, axis=0)]


LOOSE_ANSWERS = loose_answers()


def completed(domain: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Bool [L, V]: the tokens that some answer inside ``domain`` has."""
    positions = np.arange(len(domain))
    fitting = answers[domain[positions, answers].all(axis=1)]
    found = np.zeros_like(domain)
    for answer in fitting:
        found[positions, answer] = True
    return found


def prune(constraint: AllDifferent, domain: np.ndarray) -> np.ndarray:
    """By the reference, with which the compiled code must agree."""
    batch = torch.from_numpy(domain)[None]
    compiled = cpu_guide(constraint, batch.device, batch.shape[-1])
    assert compiled is not None
    pruned = constraint.prune(batch)
    assert torch.equal(compiled.prune(batch), pruned)
    return pruned[0].numpy()


@st.composite
def sudoku_domains(draw: st.DrawFn) -> np.ndarray:
    """Any domain of digits; often one that a grid fits, with a few tokens more."""
    domain = draw(hnp.arrays(np.bool_, (16, 5), fill=st.nothing()))
    if draw(st.booleans()):
        clues = draw(st.sets(st.integers(0, 15), max_size=10))
        domain[sorted(clues)] = False
        domain[np.arange(16), GRIDS[draw(st.integers(0, 287))]] = True
    domain[:, 0] = False
    return domain


def loose_domains() -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.bool_, (6, LOOSE_TOKENS), fill=st.nothing())


@settings(deadline=None)
@given(sudoku_domains())
def test_pruning_never_drops_a_token_of_a_completion(domain: np.ndarray) -> None:
    pruned = prune(SUDOKU, domain)
    assert not (pruned & ~domain).any()
    assert not (completed(domain, GRIDS) & ~pruned).any()


@settings(deadline=None)
@given(loose_domains(), st.booleans())
def test_pruning_is_sound_where_tokens_may_be_left_over(domain: np.ndarray, complete: bool) -> None:
    pruned = prune(replace(LOOSE, complete=complete), domain)
    assert not (pruned & ~domain).any()
    assert not (completed(domain, LOOSE_ANSWERS) & ~pruned).any()


@settings(deadline=None)
@given(sudoku_domains())
def test_pruning_twice_changes_nothing_more(domain: np.ndarray) -> None:
    pruned = prune(SUDOKU, domain)
    assert (prune(SUDOKU, pruned) == pruned).all()


def test_pruning_finishes_what_singles_can() -> None:
    domain = np.zeros((16, 5), np.bool_)
    domain[:, 1:] = True
    for cell in (0, 1, 2, 4, 8, 9, 15):  # enough to fix one grid
        domain[cell] = False
        domain[cell, GRIDS[0][cell]] = True
    pruned = prune(SUDOKU, domain)
    assert (pruned.sum(axis=1) == 1).all()
    assert (pruned.argmax(axis=1) == GRIDS[0]).all()


def open_grid() -> np.ndarray:
    domain = np.ones((16, 5), np.bool_)
    domain[:, 0] = False
    return domain


def nothing_left(constraint: AllDifferent, domain: np.ndarray) -> bool:
    return not prune(constraint, domain).any()


def test_two_equal_clues_in_a_group_leave_no_token_anywhere() -> None:
    domain = open_grid()
    domain[[0, 1]] = [False, True, False, False, False]
    assert nothing_left(SUDOKU, domain)


def test_a_position_without_a_token_leaves_none_anywhere() -> None:
    domain = open_grid()
    domain[7] = False
    assert nothing_left(SUDOKU, domain)


def test_a_token_without_a_place_leaves_no_token_anywhere() -> None:
    domain = open_grid()
    domain[:4, 1] = False
    assert nothing_left(SUDOKU, domain)


def test_two_tokens_with_one_place_leave_no_token_anywhere() -> None:
    domain = open_grid()
    domain[1:4, 1:3] = False
    assert nothing_left(SUDOKU, domain)


def test_a_contradiction_leaves_the_other_canvases_alone() -> None:
    domains = np.stack([open_grid(), open_grid()])
    domains[0, [0, 1]] = [False, True, False, False, False]
    assert torch.equal(SUDOKU.prune(torch.from_numpy(domains))[1], torch.from_numpy(open_grid()))


def test_a_token_without_a_forced_place_stays_when_groups_are_loose() -> None:
    domain = np.ones((6, LOOSE_TOKENS), np.bool_)
    domain[1:, 4] = False  # token 4 has one place left, but need not occur
    assert (prune(LOOSE, domain) == domain).all()


@settings(deadline=None)
@given(hnp.arrays(np.int64, (3, 16), elements=st.integers(0, 4)))
def test_violations_are_the_surplus_of_every_group(tokens: np.ndarray) -> None:
    expected = [sum(4 - len({row[c] for c in unit}) for unit in units(2, 2)) for row in tokens]
    assert SUDOKU.violations(torch.from_numpy(tokens)).tolist() == expected


def test_grids_alone_have_no_violations() -> None:
    assert not SUDOKU.violations(torch.from_numpy(GRIDS)).any()


@settings(deadline=None)
@given(
    domain=sudoku_domains(),
    logits=hnp.arrays(np.float32, (16, 5), elements=st.floats(-90, 90, width=32)),
    complete=st.booleans(),
)
def test_projection_keeps_rows_normalised_and_inside_the_domain(
    domain: np.ndarray, logits: np.ndarray, complete: bool
) -> None:
    domain[np.arange(16), GRIDS[0]] = True  # no position without a token
    allowed = torch.from_numpy(domain)[None]
    scores = torch.from_numpy(logits)[None].masked_fill(~allowed, -torch.inf)
    constraint = AllDifferent(16, SUDOKU.groups, complete=complete)
    projected = constraint.project(scores.softmax(dim=-1))
    assert projected.isfinite().all()
    assert (projected >= 0).all()
    assert (projected[~allowed] == 0).all()
    assert projected.sum(dim=-1) == pytest.approx(1.0, abs=1e-5)


def test_projection_leaves_an_answer_alone() -> None:
    certain = torch.nn.functional.one_hot(torch.from_numpy(GRIDS[:5]), 5).float()
    torch.testing.assert_close(SUDOKU.project(certain), certain)


def test_projection_moves_belief_to_where_a_token_is_missing() -> None:
    belief = torch.full((1, 16, 5), 0.25)
    belief[..., 0] = 0
    belief[0, :3] = torch.tensor([0, 0.1, 0.3, 0.3, 0.3])  # token 1 looks unlikely there
    assert SUDOKU.project(belief)[0, 3, 1] > 0.3


def test_projection_balances_a_group_alone_until_each_token_is_expected_once() -> None:
    row = AllDifferent(4, np.arange(4)[None], balance_rounds=60)
    belief = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    torch.testing.assert_close(row.project(belief).sum(dim=1), torch.ones(3, 4))


def test_canvases_of_a_batch_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(0)
    domains = torch.from_numpy(rng.random((6, 16, 5)) < 0.6)
    alone = torch.cat([SUDOKU.prune(domain[None]) for domain in domains])
    assert torch.equal(SUDOKU.prune(domains), alone)
    beliefs = torch.rand(6, 16, 5).softmax(dim=-1)
    apart = torch.cat([SUDOKU.project(belief[None]) for belief in beliefs])
    torch.testing.assert_close(SUDOKU.project(beliefs), apart)
