"""The router's product in parts scores as a whole one does, and tokens do not see each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.feed_forward import Router
from engine.kernels.router import choose_experts, plain_choose_experts
from engine.precision.weight import Weight
from tests.engine.factories import small_config
from tests.engine.kernels.triton_cases import DEVICE, DTYPES

pytest.importorskip("triton")
from engine.kernels import gpu_router

#: Tokens, experts, hidden, experts a token.
SHAPES = [(1, 1, 8, 1), (5, 4, 24, 2), (40, 128, 96, 8), (3, 70, 600, 5)]


def random_router(
    tokens: int, experts: int, hidden: int, dtype: torch.dtype
) -> tuple[Tensor, Weight, Tensor]:
    """Activations, weights, and the experts' scales."""
    generator = torch.Generator().manual_seed(tokens + experts + hidden)
    x = torch.randn(tokens, hidden, generator=generator)
    weight = 3 * torch.randn(experts, hidden, generator=generator) * hidden**-0.5
    scale = 0.5 + torch.rand(experts, generator=generator)
    return x.to(DEVICE, dtype), Weight(weight.to(DEVICE, dtype)), scale.to(DEVICE, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SHAPES)
def test_weights_and_experts_equal_the_reference(
    sizes: tuple[int, int, int, int], dtype: torch.dtype
) -> None:
    given = *random_router(*sizes[:3], dtype), sizes[3]
    (weights, chosen), (expected, experts) = choose_experts(*given), plain_choose_experts(*given)
    # Where two scores are as good as equal, sums in another order may choose the other.
    same = (chosen == experts).all(dim=-1)
    assert same.float().mean() >= 0.9
    near = 1e-5 if dtype == torch.float32 else 2.0**-6
    torch.testing.assert_close(weights[same], expected[same], rtol=near, atol=near)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reference_is_the_models_router(dtype: torch.dtype) -> None:
    config = small_config(num_experts=8, top_k_experts=3)
    router = Router(config).to(DEVICE, dtype)
    x, weight, router.per_expert_scale.data = random_router(20, 8, config.hidden_size, dtype)
    router.proj.weight.data = weight.values
    with torch.no_grad():
        into = router.norm(x) * router.scale * router.scale.numel() ** -0.5
        expected, experts = router(x)
        found, chosen = plain_choose_experts(into, weight, router.per_expert_scale, 3)
    same = (chosen == experts).all(dim=-1)  # of equal scores the model takes any
    assert same.float().mean() >= 0.8
    assert torch.equal(found[same], expected[same])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_token_has_the_same_bits_in_any_company(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_router, "_MOST_FEW", 50)
    x, weight, scale = random_router(70, 12, 600, dtype)
    whole = choose_experts(x, weight, scale, 4)
    for own in (slice(0, 1), slice(7, 40)):
        for part, all_of_it in zip(choose_experts(x[own], weight, scale, 4), whole, strict=True):
            assert torch.equal(part, all_of_it[own])


@pytest.mark.cuda
def test_on_a_gpu_no_number_of_tokens_changes_a_bit() -> None:
    x, weight, scale = random_router(4096, 128, 2816, torch.bfloat16)
    whole = choose_experts(x, weight, scale, 8)
    for own in (slice(0, 1), slice(3, 60), slice(5, 261), slice(100, 1400)):
        for part, all_of_it in zip(choose_experts(x[own], weight, scale, 8), whole, strict=True):
            assert torch.equal(part, all_of_it[own])


def test_strides_do_not_matter() -> None:
    x, weight, scale = random_router(6, 12, 40, torch.float32)
    expected = choose_experts(x, weight, scale, 4)
    found = choose_experts(x.T.contiguous().T, weight, scale, 4)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_no_tokens_choose_none() -> None:
    x, weight, scale = random_router(2, 12, 40, torch.float32)
    weights, chosen = choose_experts(x[:0], weight, scale, 4)
    assert weights.shape == chosen.shape == (0, 4)
