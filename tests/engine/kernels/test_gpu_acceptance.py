"""The kernel accepts and redraws what the sampler does, to the token."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.domain_sets import DomainSets
from engine.kernels.acceptance import LONGEST, accept_and_renoise, plain_accept_and_renoise
from engine.noise import CounterNoise
from tests.engine.kernels.triton_cases import DEVICE, random_domain, random_noise

pytest.importorskip("triton")
from engine.kernels.gpu_acceptance import gpu_accept_and_renoise


def random_entropy(shape: tuple[int, int], seed: int) -> Tensor:
    """Entropies of which many are 0 and some are equal."""
    generator = torch.Generator().manual_seed(seed)
    entropy = torch.rand(shape, generator=generator) ** 6
    entropy[torch.rand(shape, generator=generator) < 0.3] = 0
    entropy[:, ::5] = entropy[:, :1].clone()
    return entropy.to(DEVICE)


@pytest.mark.parametrize("length", [1, 2, 31, 64, 100])
@pytest.mark.parametrize("vocabulary", [1, 17, 64, 130])
@pytest.mark.parametrize("restricted", [True, False])
def test_tokens_and_acceptance_equal_the_reference(
    length: int, vocabulary: int, restricted: bool
) -> None:
    batch, seed = 3, length + vocabulary
    entropy = random_entropy((batch, length), seed)
    sampled = torch.randint(vocabulary, (batch, length), device=DEVICE)
    bound = torch.tensor([0.0, 0.1, 3.0], device=DEVICE)
    domain = random_domain((batch, length, vocabulary), seed) if restricted else None
    step = entropy, sampled, bound, random_noise(batch, seed), vocabulary, domain
    canvas, accepted = gpu_accept_and_renoise(*step, tile=32)
    expected_canvas, expected = plain_accept_and_renoise(*step)
    assert torch.equal(accepted, expected)
    assert torch.equal(canvas, expected_canvas)


def test_padding_counts_for_nothing() -> None:
    entropy = random_entropy((4, 40), 1)
    present = torch.arange(40, device=DEVICE) < torch.tensor([[40], [1], [0], [33]], device=DEVICE)
    sampled = torch.randint(9, (4, 40), device=DEVICE)
    bound = torch.full((4,), 0.2, device=DEVICE)
    step = entropy, sampled, bound, random_noise(4, 1), 9, None, present
    for found, expected in zip(
        accept_and_renoise(*step), plain_accept_and_renoise(*step), strict=True
    ):
        assert torch.equal(found, expected)


def test_strides_do_not_matter() -> None:
    entropy, dense = random_entropy((20, 3), 2).T, random_domain((3, 20, 41), 2)
    sets = dense.sets.T.contiguous().T.repeat_interleave(2, dim=0)[::2]
    domain = DomainSets(sets, dense.which.T.contiguous().T)
    sampled = torch.randint(41, (20, 3), device=DEVICE).T
    bound = torch.rand(6, device=DEVICE)[::2]
    step = entropy, sampled, bound, random_noise(6, 2).keep(torch.tensor([5, 0, 2])), 41, domain
    for found, expected in zip(
        accept_and_renoise(*step), plain_accept_and_renoise(*step), strict=True
    ):
        assert torch.equal(found, expected)


def test_fresh_tokens_come_from_every_part_of_a_large_domain() -> None:
    domain = random_domain((1, 64, 10_000), 3)
    entropy = torch.ones((1, 64), device=DEVICE)
    sampled = torch.zeros((1, 64), dtype=torch.int64, device=DEVICE)
    bound = torch.full((1,), 0.5, device=DEVICE)
    step = entropy, sampled, bound, random_noise(1, 3), 10_000, domain
    canvas, accepted = accept_and_renoise(*step)
    assert accepted.sum() == 1
    assert canvas.max() > 9000
    assert torch.equal(canvas, plain_accept_and_renoise(*step)[0])


def test_a_longer_canvas_than_a_program_holds_is_left_to_the_reference() -> None:
    entropy = random_entropy((1, LONGEST + 1), 4)
    sampled = torch.zeros_like(entropy, dtype=torch.int64)
    keys = torch.zeros(1, dtype=torch.int64, device=DEVICE)
    step = entropy, sampled, torch.ones(1, device=DEVICE), CounterNoise(keys, keys), 5
    assert torch.equal(accept_and_renoise(*step)[1], plain_accept_and_renoise(*step)[1])
