"""The choice of experts in Triton is that of a stable sort, and weighs them alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.feed_forward import Router
from engine.kernels.router import plain_route
from tests.engine.factories import small_config
from tests.engine.kernels.triton_cases import DEVICE, DTYPES

pytest.importorskip("triton")
from engine.kernels.gpu_router import gpu_route

#: Tokens, experts, experts a token.
SHAPES = [(1, 1, 1), (5, 4, 2), (3, 6, 6), (7, 100, 3), (9, 128, 8), (2, 1024, 8)]


def random_scores(
    tokens: int, experts: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Scores, and the experts' scales."""
    generator = torch.Generator().manual_seed(tokens + experts)
    scores = 4 * torch.randn(tokens, experts, generator=generator)
    scale = 0.5 + torch.rand(experts, generator=generator)
    return scores.to(DEVICE, dtype), scale.to(DEVICE, dtype)


def route(scores: Tensor, scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """By scores in one part."""
    return gpu_route(scores[None], scale, top_k, scores.dtype)


def assert_equal(found: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(found[1], expected[1])
    assert found[0].dtype == expected[0].dtype == torch.float32
    torch.testing.assert_close(found[0], expected[0], rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SHAPES)
def test_weights_and_experts_equal_the_reference(
    sizes: tuple[int, int, int], dtype: torch.dtype
) -> None:
    tokens, experts, k = sizes
    scores, scale = random_scores(tokens, experts, dtype)
    assert_equal(route(scores, scale, k), plain_route(scores, scale, k))


@given(st.lists(st.lists(st.integers(-2, 1), min_size=9, max_size=9), min_size=1, max_size=4))
def test_of_equal_scores_the_lowest_expert_comes_first(rows: list[list[int]]) -> None:
    scores = torch.tensor(rows, dtype=torch.bfloat16, device=DEVICE)
    scores[scores == -2] = -torch.inf
    scores[:, 8] = 0  # not all can be -inf
    expected = [sorted(range(9), key=lambda i: (-row[i], i))[:5] for row in scores.tolist()]
    for function in (route, plain_route):
        weights, chosen = function(scores, torch.ones(9, device=DEVICE), 5)
        assert chosen.tolist() == expected
        torch.testing.assert_close(weights.sum(-1), torch.ones(len(rows), device=DEVICE))


def test_where_exponentials_vanish_the_order_of_scores_still_decides() -> None:
    scores = torch.tensor([[-400.0, 0.0, -300.0, -200.0]], device=DEVICE)
    for function in (route, plain_route):
        weights, chosen = function(scores, torch.ones(4, device=DEVICE), 3)
        assert chosen.tolist() == [[1, 3, 2]]
        assert weights.tolist() == [[1.0, 0.0, 0.0]]


def test_what_is_not_a_number_still_names_experts() -> None:
    scores, scale = random_scores(3, 12)
    scores[1] = torch.nan
    with np.errstate(invalid="ignore"):  # the interpreter computes in NumPy
        _, chosen = route(scores, scale, 4)
    assert ((chosen >= 0) & (chosen < 12)).all()
    assert torch.equal(chosen[::2], plain_route(scores, scale, 4)[1][::2])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reference_is_the_models_router(dtype: torch.dtype) -> None:
    config = small_config(num_experts=8, top_k_experts=3)
    router = Router(config).to(DEVICE, dtype)
    router.per_expert_scale.data = random_scores(1, 8, dtype)[1]
    orders = [torch.randperm(8, generator=torch.Generator().manual_seed(i)) for i in range(20)]
    ranks = torch.stack(orders).to(DEVICE, dtype)  # no two scores of a token are equal
    router.proj.forward = lambda _: ranks  # type: ignore[method-assign]
    with torch.no_grad():
        weights, chosen = router(torch.randn(20, config.hidden_size, device=DEVICE).to(dtype))
        found = plain_route(ranks, router.per_expert_scale, 3)
    assert torch.equal(found[1], chosen)
    assert torch.equal(found[0], weights)


def test_a_token_has_the_same_bits_in_any_company() -> None:
    scores, scale = random_scores(20, 128, torch.bfloat16)
    whole = route(scores, scale, 8)
    for all_of_it, alone in zip(whole, route(scores[7:8], scale, 8), strict=True):
        assert torch.equal(all_of_it[7:8], alone)


@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_are_added_in_order_and_rounded_once(dtype: torch.dtype) -> None:
    sums = torch.randn(5, 6, 20, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    scores = torch.zeros_like(sums[0])
    for part in sums:
        scores += part
    scale = random_scores(6, 20, dtype)[1]
    assert_equal(gpu_route(sums, scale, 4, dtype), plain_route(scores.to(dtype), scale, 4))


def test_strides_do_not_matter() -> None:
    scores, scale = random_scores(6, 20)
    expected = route(scores, scale, 4)
    sparse = torch.stack((scale, scale), dim=1)[:, 0]
    found = route(scores.T.contiguous().T, sparse, 4)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_no_tokens_choose_none() -> None:
    weights, chosen = route(torch.empty(0, 8, device=DEVICE), torch.ones(8, device=DEVICE), 2)
    assert weights.shape == chosen.shape == (0, 2)
