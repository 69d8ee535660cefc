"""The norms between a layer's products equal the model's, rounding for rounding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.kernels.layer_norms import (
    FeedForwardInputs,
    LayerNorms,
    after_attention,
    after_feedforward,
    plain_after_attention,
    plain_after_feedforward,
)
from engine.kernels.row_rounding import Rows, floats, plain_rounded_rows
from engine.text.weights import ModelWeights, TextWeights
from tests.engine.factories import plain_model
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, assert_same

EPS = 1e-6
SHAPES = [(1, 1), (3, 7), (5, 64), (4, 96), (3, 600), (2, 2816)]


def random_rows(*shape: int, dtype: torch.dtype, seed: int) -> Tensor:
    """Rows from small to large, so that a norm that is not taken is seen."""
    generator = torch.Generator().manual_seed(seed)
    spread = 10.0 ** torch.randint(-2, 3, (*shape[:-1], 1), generator=generator)
    return (spread * torch.randn(shape, generator=generator)).to(DEVICE, dtype)


def random_weights(size: int, count: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(size)
    return list((0.5 + torch.rand(count, size, generator=generator)).to(DEVICE, dtype))


def random_norms(size: int, dtype: torch.dtype) -> LayerNorms:
    return LayerNorms(*random_weights(size, 7, dtype), eps=EPS)


def parts(inputs: FeedForwardInputs) -> tuple[Tensor, ...]:
    return inputs.x, floats(inputs.dense), floats(inputs.routed), inputs.router


def pair(given: tuple[Tensor, Rows]) -> tuple[Tensor, ...]:
    return given[0], floats(given[1])


def assert_near(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    """As near as a sum of squares in another order lets results be, after several roundings.

    In bfloat16 a value that rounded apart is an operand of what follows; most are equal.
    """
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        near = 3e-6 if a.dtype == torch.float32 else 2.0**-6
        torch.testing.assert_close(a, b, rtol=near, atol=near * float(b.abs().mean()))
        if a.dtype == torch.bfloat16:
            assert (a != b).float().mean() <= 0.03


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_after_attention_equals_the_reference(shape: tuple[int, int], dtype: torch.dtype) -> None:
    x, attended = (random_rows(*shape, dtype=dtype, seed=seed) for seed in (1, 2))
    norms = random_norms(shape[1], dtype)
    found, expected = (f(x, attended, norms) for f in (after_attention, plain_after_attention))
    assert_near(parts(found), parts(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_after_feedforward_equals_the_reference(
    shape: tuple[int, int], count: int, dtype: torch.dtype
) -> None:
    x, dense = (random_rows(*shape, dtype=dtype, seed=seed) for seed in (1, 2))
    visits = random_rows(shape[0], count, shape[1], dtype=dtype, seed=3)
    norms, (following,) = random_norms(shape[1], dtype), random_weights(shape[1], 1, dtype)
    scalar = torch.tensor([0.37], device=DEVICE, dtype=dtype)
    given = x, dense, visits, norms, scalar, following
    assert_near(pair(after_feedforward(*given)), pair(plain_after_feedforward(*given)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_rounded_are_the_norms_in_fp8(shape: tuple[int, int], dtype: torch.dtype) -> None:
    x, other = (random_rows(*shape, dtype=dtype, seed=seed) for seed in (1, 2))
    norms, (following,) = random_norms(shape[1], dtype), random_weights(shape[1], 1, dtype)
    for after in (after_attention, plain_after_attention):
        into, rounded = after(x, other, norms), after(x, other, norms, rounded=True)
        assert torch.equal(rounded.x, into.x)
        assert torch.equal(rounded.router, into.router)
        assert_same(rounded.dense, plain_rounded_rows(floats(into.dense)))
        assert_same(rounded.routed, plain_rounded_rows(floats(into.routed)))
    visits = random_rows(shape[0], 2, shape[1], dtype=dtype, seed=3)
    given = x, other, visits, norms, torch.tensor([0.4], device=DEVICE, dtype=dtype), following
    for following_norm in (after_feedforward, plain_after_feedforward):
        total, normed = following_norm(*given)
        again, rows = following_norm(*given, rounded=True)
        assert torch.equal(again, total)
        assert_same(rows, plain_rounded_rows(floats(normed)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_references_are_the_models_layer(dtype: torch.dtype) -> None:
    model = plain_model().to(DEVICE, dtype)
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith("scale"):
            parameter.data = random_weights(parameter.numel(), 1, dtype)[0].view_as(parameter)
    layer, weights = model._layers()[0], TextWeights.read(model.config, ModelWeights(model))
    norms, hidden = weights.layers[0].norms, model.config.hidden_size
    x, dense, routed = (random_rows(9, hidden, dtype=dtype, seed=seed) for seed in (1, 2, 3))
    into = plain_after_attention(x, dense, norms)
    summed = x + layer.post_attention_layernorm(dense)
    router = layer.router
    scaled = router.norm(summed) * router.scale * hidden**-0.5
    told = layer.pre_feedforward_layernorm(summed), layer.pre_feedforward_layernorm_2(summed)
    for a, b in zip(parts(into), (summed, *told, scaled), strict=True):
        assert torch.equal(a, b)
    scalar = torch.tensor([0.37], device=DEVICE, dtype=dtype)
    total, normed = plain_after_feedforward(x, dense, routed[:, None], norms, scalar, weights.norm)
    both = layer.post_feedforward_layernorm_1(dense) + layer.post_feedforward_layernorm_2(routed)
    expected = (x + layer.post_feedforward_layernorm(both)) * scalar
    assert torch.equal(total, expected)
    assert torch.equal(floats(normed), model.norm(expected))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_has_the_same_bits_in_any_company(dtype: torch.dtype) -> None:
    x, dense = (random_rows(12, 200, dtype=dtype, seed=seed) for seed in (1, 2))
    routed = random_rows(12, 3, 200, dtype=dtype, seed=3)
    norms, (following,) = random_norms(200, dtype), random_weights(200, 1, dtype)
    scalar = torch.tensor([0.37], device=DEVICE, dtype=dtype)
    own = slice(5, 6)
    whole = parts(after_attention(x, dense, norms))
    for part, alone in zip(whole, parts(after_attention(x[own], dense[own], norms)), strict=True):
        assert torch.equal(part[own], alone)
    both = pair(after_feedforward(x, dense, routed, norms, scalar, following))
    single = pair(after_feedforward(x[own], dense[own], routed[own], norms, scalar, following))
    for part, alone in zip(both, single, strict=True):
        assert torch.equal(part[own], alone)


def test_strides_do_not_matter() -> None:
    x, dense = (random_rows(6, 40, dtype=torch.float32, seed=seed) for seed in (1, 2))
    visits = random_rows(6, 2, 40, dtype=torch.float32, seed=3)
    norms, (following,) = random_norms(40, torch.float32), random_weights(40, 1, torch.float32)
    turned = [y.T.contiguous().T for y in (x, dense)]
    sparse = torch.stack((following, following), dim=1)[:, 0]
    found, expected = (parts(after_attention(*y, norms)) for y in (turned, (x, dense)))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    scalar = torch.tensor([2.0], device=DEVICE)
    found = pair(after_feedforward(*turned, visits.mT.contiguous().mT, norms, scalar, sparse))
    expected = pair(after_feedforward(x, dense, visits, norms, scalar, following))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_no_rows_are_no_work() -> None:
    none, norms = torch.empty(0, 8, device=DEVICE), random_norms(8, torch.float32)
    assert after_attention(none, none, norms).router.shape == (0, 8)
    scalar = torch.ones(1, device=DEVICE)
    given = none, none, none[:, None], norms, scalar, norms.dense
    assert floats(after_feedforward(*given)[1]).shape == (0, 8)
    assert len(after_feedforward(*given, rounded=True)[1]) == 0
