import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.noise import CounterNoise, stream_keys
from engine.sampler import (
    StepSettings,
    accept,
    confident,
    denoise_step,
    draw_from_domain,
    mass_on,
    temperature_at,
    uniform_belief,
)


def random_domain(generator: torch.Generator, batch: int, length: int, vocabulary: int):
    domain = torch.rand(batch, length, vocabulary, generator=generator) < 0.4
    forced = torch.randint(vocabulary, (batch, length, 1), generator=generator)
    return domain.scatter(-1, forced, True)


def random_step(seed: int, batch: int = 3, length: int = 7, vocabulary: int = 5):
    generator = torch.Generator().manual_seed(seed)
    domain = random_domain(generator, batch, length, vocabulary)
    logits = torch.randn(batch, length, vocabulary, generator=generator) * 4
    keys = stream_keys(torch.full((batch,), seed), torch.arange(batch))
    knobs = StepSettings(torch.full((batch,), 0.6), torch.full((batch,), 0.1))
    return denoise_step(logits, domain, knobs, CounterNoise(keys, torch.ones_like(keys))), domain


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_no_position_ever_shows_a_token_outside_its_domain(seed: int) -> None:
    step, domain = random_step(seed)
    assert domain.gather(-1, step.canvas[..., None]).all()
    assert domain.gather(-1, step.draft[..., None]).all()
    assert (step.belief[~domain] == 0).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_a_domain_of_one_is_held_and_certain(seed: int) -> None:
    step, domain = random_step(seed)
    single = domain.sum(dim=-1) == 1
    token = domain.int().argmax(dim=-1)
    assert (step.canvas == token)[single].all()
    assert (step.draft == token)[single].all()
    assert (step.entropy[single] == 0).all()


def test_acceptance_takes_positions_by_rising_entropy_until_the_bound() -> None:
    entropy = torch.tensor([[0.3, 0.05, 0.0, 0.04, 2.0]])
    assert accept(entropy, torch.tensor([0.1])).tolist() == [[True, True, True, True, False]]
    assert accept(entropy, torch.tensor([0.05])).tolist() == [[False, True, True, True, False]]


def test_the_most_certain_position_is_always_accepted() -> None:
    entropy = torch.full((1, 4), 5.0)
    assert accept(entropy, torch.tensor([1e-6])).sum() == 1


def test_padding_is_never_accepted() -> None:
    entropy = torch.zeros(1, 4)
    present = torch.tensor([[True, True, False, False]])
    assert accept(entropy, torch.tensor([0.1]), present).tolist() == present.tolist()


def test_the_temperature_falls_linearly() -> None:
    total = torch.full((3,), 48.0)
    remaining = torch.tensor([48.0, 24.0, 1.0])
    low, high = torch.full((3,), 0.4), torch.full((3,), 0.8)
    expected = torch.tensor([0.8, 0.6, 0.4 + 0.4 / 48])
    assert torch.allclose(temperature_at(remaining, total, low, high), expected)


@pytest.mark.parametrize("domain_size", [1, 3, 5])
def test_fresh_tokens_are_uniform_over_the_domain(domain_size: int) -> None:
    domain = torch.zeros(1, 1, 5, dtype=torch.bool)
    domain[..., torch.randperm(5)[:domain_size]] = True
    uniform = (torch.arange(3000) + 0.5)[None] / 3000
    tokens = draw_from_domain(uniform, domain.expand(1, 3000, 5), 5)
    counts = torch.bincount(tokens.flatten(), minlength=5)
    assert (counts[domain[0, 0]] == 3000 // domain_size).all()
    assert (counts[~domain[0, 0]] == 0).all()


def test_without_a_domain_fresh_tokens_cover_the_vocabulary() -> None:
    uniform = (torch.arange(7) + 0.5)[None] / 7
    assert draw_from_domain(uniform, None, 7).tolist() == [list(range(7))]


def test_candidate_mass_is_the_models_own_mass_on_the_domain() -> None:
    logits = torch.tensor([[[0.0, 0.0, 0.0, 0.0]]])
    domain = torch.tensor([[[True, False, False, True]]])
    assert mass_on(logits, domain).item() == pytest.approx(0.5)
    assert mass_on(logits, None).item() == 1.0


def test_the_first_belief_is_uniform_over_the_domain() -> None:
    domain = torch.tensor([[[True, False, True], [False, True, False]]])
    assert uniform_belief(domain).tolist() == [[[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]]


def test_confidence_is_the_mean_over_free_positions_alone() -> None:
    entropy = torch.tensor([[0.0, 0.0, 0.4], [0.0, 0.0, 0.4]])
    free = torch.tensor([[True, True, True], [False, False, True]])
    assert confident(entropy, torch.tensor([0.2, 0.2]), free).tolist() == [True, False]
