"""The head in one read of the logits finds what ``denoise_step`` finds."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.domain_sets import DomainSets
from engine.kernels.denoising_head import HeadResult, denoising_head, plain_denoising_head
from engine.kernels.raw_logits import RawLogits
from engine.noise import CounterNoise
from engine.sampler import StepSettings, denoise_step
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, NEAR, SOFTCAP, Head, random_head

pytest.importorskip("triton")
from engine.kernels.gpu_denoising_head import gpu_denoising_head


def scores_of(logits: RawLogits, noise: CounterNoise) -> tuple[Tensor, Tensor]:
    """Log-beliefs of the free positions, without and with noise: [N, V] each."""
    scaled, allowed = logits.scaled(), logits.allowed()
    inside = scaled if allowed is None else scaled.masked_fill(~allowed, -torch.inf)
    log_belief = inside.log_softmax(dim=-1)
    gumbel = logits.at_cells(noise.gumbel(logits.length, logits.vocabulary))
    return log_belief, log_belief + gumbel


def assert_best(tokens: Tensor, expected: Tensor, scores: Tensor) -> None:
    """The same tokens, but where scores agree to the last digits."""
    lost = scores.gather(-1, expected[:, None]) - scores.gather(-1, tokens[:, None])
    assert (lost.abs() <= 2 * NEAR).all()
    assert (tokens != expected).sum() <= 1 + len(tokens) // 100


def assert_same(found: HeadResult, expected: HeadResult, head: Head) -> None:
    logits, held, noise = head
    for name in ("entropy", "log_sum_exp", "candidate_mass"):
        a, b = getattr(found, name), getattr(expected, name)
        torch.testing.assert_close(a, b, rtol=NEAR, atol=NEAR, msg=lambda m, n=name: f"{n}: {m}")
    for name, scores in zip(("draft", "sampled"), scores_of(logits, noise), strict=True):
        a, b = getattr(found, name), getattr(expected, name)
        assert a.dtype == torch.int64
        assert_best(logits.at_cells(a), logits.at_cells(b), scores)
        clamped = torch.ones(held.numel(), dtype=torch.bool, device=DEVICE)
        clamped[logits.cells] = False
        assert torch.equal(a.view(-1)[clamped], held.view(-1)[clamped])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (3, 8, 64), (2, 7, 333), (1, 9, 1025)])
def test_the_head_equals_the_reference(
    shape: tuple[int, int, int], restricted: bool, dtype: torch.dtype
) -> None:
    for seed in range(2):
        head = random_head(shape, seed, restricted=restricted, dtype=dtype)
        found = gpu_denoising_head(*head, tile=32, tiles=3)
        assert_same(found, plain_denoising_head(*head), head)


@pytest.mark.parametrize("restricted", [True, False])
def test_one_tile_or_many_make_no_difference(restricted: bool) -> None:
    head = random_head((2, 6, 3000), 4, restricted=restricted)
    for tile, tiles in ((4096, 1), (1024, 2), (256, 1), (256, 100)):
        found = gpu_denoising_head(*head, tile=tile, tiles=tiles)
        assert_same(found, plain_denoising_head(*head), head)
    assert_same(denoising_head(*head), plain_denoising_head(*head), head)


@pytest.mark.parametrize("restricted", [True, False])
def test_the_reference_is_what_a_step_finds(restricted: bool) -> None:
    logits, held, noise = random_head((3, 11, 40), 5, restricted=restricted)
    logits = replace(logits, cells=torch.arange(33, device=DEVICE))
    found = plain_denoising_head(logits, held, noise)
    capped = torch.tanh(logits.values / SOFTCAP) * SOFTCAP
    settings = StepSettings(logits.temperature, torch.full((3,), 1e9, device=DEVICE))
    domain = None if logits.domain is None else logits.domain.dense()
    step = denoise_step(capped, domain, settings, noise)
    assert step.accepted.all()
    assert torch.equal(found.sampled, step.canvas)
    assert torch.equal(found.draft, step.draft)
    assert torch.equal(found.entropy, step.entropy)
    assert torch.equal(found.candidate_mass, step.candidate_mass)


def test_rows_of_the_free_positions_alone_serve_as_well_as_all() -> None:
    head = random_head((2, 8, 100), 6, restricted=True, dtype=torch.bfloat16)
    logits = head[0]
    compact = replace(logits, values=logits.at_cells(logits.values))
    for found in (plain_denoising_head, denoising_head):
        whole, part = found(*head), found(compact, *head[1:])
        for field in fields(HeadResult):
            assert torch.equal(getattr(whole, field.name), getattr(part, field.name))


def test_strides_do_not_matter() -> None:
    logits, held, noise = random_head((3, 10, 90), 7, restricted=True)
    assert logits.domain is not None
    apart = replace(
        logits,
        values=logits.values.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        domain=DomainSets(
            logits.domain.sets.repeat_interleave(2, dim=-1)[..., ::2],
            logits.domain.which.T.contiguous().T,
        ),
        temperature=logits.temperature.repeat_interleave(3)[::3],
        cells=logits.cells.repeat_interleave(2)[::2],
    )
    found = denoising_head(apart, held.T.contiguous().T, noise)
    expected = denoising_head(logits, held, noise)
    for field in fields(HeadResult):
        assert torch.equal(getattr(found, field.name), getattr(expected, field.name))


def test_one_allowed_token_is_certain_however_unlikely() -> None:
    logits, held, noise = random_head((2, 5, 77), 8, restricted=False)
    token = logits.values.argmin(dim=-1)
    sets = torch.eye(77, dtype=torch.bool, device=DEVICE)
    logits = replace(logits, domain=DomainSets(sets, token.int()))
    found = gpu_denoising_head(logits, held, noise, tile=16, tiles=2)
    for tokens in (found.draft, found.sampled):
        assert torch.equal(logits.at_cells(tokens), logits.at_cells(token))
    assert (found.entropy == 0).all()
    assert (found.candidate_mass == 1).all()


@settings(max_examples=25)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 200), st.integers(0, 2**31))
def test_tokens_are_of_the_domain_and_numbers_within_their_bounds(
    batch: int, length: int, vocabulary: int, seed: int
) -> None:
    logits, held, noise = random_head((batch, length, vocabulary), seed, restricted=True)
    allowed = logits.allowed()
    assert allowed is not None
    found = gpu_denoising_head(logits, held, noise, tile=32, tiles=2)
    for tokens in (found.draft, found.sampled):
        assert allowed.gather(-1, logits.at_cells(tokens)[:, None]).all()
    most = allowed.sum(dim=-1).log()
    entropy, mass = logits.at_cells(found.entropy), logits.at_cells(found.candidate_mass)
    assert ((entropy >= 0) & (entropy <= most + NEAR)).all()
    assert ((mass >= 0) & (mass <= 1 + NEAR)).all()


def test_equal_logits_give_the_first_token() -> None:
    logits, held, noise = random_head((1, 4, 200), 9, restricted=False)
    values = torch.zeros_like(logits.values)
    values[..., 70:] = 1e4
    found = gpu_denoising_head(replace(logits, values=values), held, noise, tile=32, tiles=2)
    assert (logits.at_cells(found.draft) == 70).all()


def test_small_differences_of_small_logits_are_seen() -> None:
    logits, held, noise = random_head((1, 4, 64), 9, restricted=False)
    values = 1e-4 * (1 + 1e-5 * torch.arange(64, device=DEVICE)).expand(1, 4, 64)
    found = denoising_head(replace(logits, values=values), held, noise)
    assert (logits.at_cells(found.draft) == 63).all()


def test_a_canvas_never_depends_on_its_batch() -> None:
    logits, held, noise = random_head((4, 6, 500), 10, restricted=True)
    assert logits.domain is not None
    whole = denoising_head(logits, held, noise)
    mine = logits.cells // logits.length == 2
    alone = RawLogits(
        logits.values[2:3],
        logits.cells[mine] - 2 * logits.length,
        logits.length,
        SOFTCAP,
        logits.temperature[2:3],
        DomainSets(logits.domain.sets, logits.domain.which[2:3]),
    )
    part = denoising_head(alone, held[2:3], noise.keep(torch.tensor([2], device=DEVICE)))
    for field in fields(HeadResult):
        assert torch.equal(getattr(part, field.name)[0], getattr(whole, field.name)[2])


def test_no_free_position_is_no_work() -> None:
    logits, held, noise = random_head((2, 3, 20), 11, restricted=False)
    nothing = replace(logits, cells=logits.cells[:0], values=logits.values.view(-1, 20)[:0])
    found = denoising_head(nothing, held, noise)
    assert torch.equal(found.sampled, held)
    assert (found.entropy == 0).all()


def test_a_position_that_is_free_of_sets_is_as_though_there_were_none() -> None:
    logits, held, noise = random_head((2, 6, 300), 12, restricted=True)
    assert logits.domain is not None
    anything = DomainSets(logits.domain.sets, torch.full_like(logits.domain.which, -1))
    for head in (denoising_head, plain_denoising_head):
        found = head(replace(logits, domain=anything), held, noise)
        expected = head(replace(logits, domain=None), held, noise)
        for field in fields(HeadResult):
            assert torch.equal(getattr(found, field.name), getattr(expected, field.name))


@pytest.mark.parametrize("restricted", [True, False])
def test_a_position_that_comes_again_changes_nothing(restricted: bool) -> None:
    logits, held, noise = random_head((2, 8, 100), 13, restricted=restricted)
    cells = torch.cat((logits.cells, logits.cells[:1].expand(5)))
    filled = replace(logits, cells=cells)
    compact = replace(filled, values=filled.at_cells(filled.values))
    for head in (denoising_head, plain_denoising_head):
        expected = head(logits, held, noise)
        for more in (filled, compact):
            found = head(more, held, noise)
            for field in fields(HeadResult):
                assert torch.equal(getattr(found, field.name), getattr(expected, field.name))
