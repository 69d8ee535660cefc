"""The fused CPU sampler draws what ``denoise_step`` draws."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from engine.kernels.cpu_sampler import cpu_denoise_step
from engine.noise import CounterNoise, stream_keys
from engine.sampler import StepResult, StepSettings, denoise_step


def random_domain(shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
    """Domains of every size from one token to all, none of them empty."""
    share = torch.rand(shape[:2], generator=generator)[..., None]
    domain = torch.rand(shape, generator=generator) < share
    certain = torch.randint(shape[-1], shape[:2], generator=generator)
    return domain.scatter(-1, certain[..., None], True)


def random_step(
    seed: int, *, restricted: bool = True
) -> tuple[Tensor, Tensor | None, StepSettings, CounterNoise]:
    generator = torch.Generator().manual_seed(seed)
    batch, length = 1 + seed % 7, (16, 36, 81)[seed % 3]
    shape = batch, length, (9, 17, 40)[seed % 3]
    spread = 10.0 ** (2 * torch.rand(batch, 1, 1, generator=generator) - 1)
    domain = random_domain(shape, generator)
    settings = StepSettings(
        0.3 + torch.rand(batch, generator=generator), 3 * torch.rand(batch, generator=generator)
    )
    seeds = torch.randint(-(2**60), 2**60, (batch,), generator=generator)
    steps = torch.randint(1, 100, (batch,), generator=generator)
    noise = CounterNoise(stream_keys(seeds, steps % 3), steps)
    logits = (spread * torch.randn(shape, generator=generator)).clamp(-30, 30)
    return logits, domain if restricted else None, settings, noise


def assert_same(found: StepResult, expected: StepResult) -> None:
    for field in fields(StepResult):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        assert a.dtype == b.dtype
        if a.is_floating_point():
            # The reference subtracts logarithms of masses, which cost it digits of large logits.
            near = 1e-5 if field.name == "candidate_mass" else 1e-6
            torch.testing.assert_close(a, b, rtol=near, atol=near)
        else:
            assert torch.equal(a, b), field.name


@pytest.mark.parametrize("restricted", [True, False])
def test_a_step_equals_the_reference(restricted: bool) -> None:
    for seed in range(60):
        step = random_step(seed, restricted=restricted)
        assert_same(cpu_denoise_step(*step), denoise_step(*step))


def test_a_projection_is_applied_before_anything_is_drawn() -> None:
    def sharpen(belief: Tensor) -> Tensor:
        squared = belief**2
        return squared / squared.sum(dim=-1, keepdim=True)

    for seed in range(10):
        step = random_step(seed)
        assert_same(cpu_denoise_step(*step, sharpen), denoise_step(*step, sharpen))


def test_a_clamped_position_is_certain_and_accepted() -> None:
    logits, _, settings, noise = random_step(3)
    domain = torch.nn.functional.one_hot(logits.argmin(dim=-1), logits.shape[-1]).bool()
    step = cpu_denoise_step(logits, domain, settings, noise)
    assert torch.equal(step.canvas, logits.argmin(dim=-1))
    assert torch.equal(step.draft, step.canvas)
    assert (step.entropy == 0).all()
    assert step.accepted.all()


def test_a_canvas_never_depends_on_its_batch() -> None:
    logits, domain, settings, noise = random_step(6)
    assert domain is not None
    whole = cpu_denoise_step(logits, domain, settings, noise)
    for rows in (torch.tensor([3]), torch.tensor([6, 0, 2])):
        part = cpu_denoise_step(
            logits[rows],
            domain[rows],
            StepSettings(settings.temperature[rows], settings.entropy_bound[rows]),
            CounterNoise(noise.keys[rows], noise.steps[rows]),
        )
        for field in fields(StepResult):
            assert torch.equal(getattr(part, field.name), getattr(whole, field.name)[rows])


def test_logits_that_are_no_numbers_leave_the_other_canvases_alone() -> None:
    logits, domain, settings, noise = random_step(13)
    expected = cpu_denoise_step(logits, domain, settings, noise)
    broken = logits.index_fill(0, torch.tensor(1), torch.nan)
    found = cpu_denoise_step(broken, domain, settings, noise)
    assert ((found.draft >= 0) & (found.draft < logits.shape[-1])).all()
    others = torch.tensor([i for i in range(len(logits)) if i != 1])
    assert_same(found.keep(others), expected.keep(others))
