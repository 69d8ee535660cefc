"""The fused norm equals ``engine.rms_norm.RMSNorm`` of the residual sum."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from engine.kernels.add_norm import add_norm, plain_add_norm
from engine.kernels.row_rounding import floats, plain_rounded_rows
from engine.rms_norm import RMSNorm
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, assert_same, assert_within_an_ulp

EPS = 1e-6


def random_rows(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    spread = 10.0 ** torch.randint(-3, 4, (*shape[:-1], 1), generator=generator)
    return (spread * torch.randn(shape, generator=generator)).to(DEVICE, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (10, 64), (1, 96), (12, 33), (4, 600)])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("summed", [True, False])
def test_sum_and_norm_equal_the_reference(
    shape: tuple[int, int], dtype: torch.dtype, weighted: bool, summed: bool
) -> None:
    x = random_rows(shape, dtype, seed=1)
    weight = random_rows(shape[-1:], dtype, seed=9) if weighted else None
    residual = random_rows(shape, dtype, seed=5) if summed else None
    total, normed = add_norm(x, weight, EPS, residual)
    expected_total, expected = plain_add_norm(x, weight, EPS, residual)
    assert torch.equal(total, expected_total)
    assert_within_an_ulp(floats(normed), floats(expected))
    for function, whole in ((add_norm, normed), (plain_add_norm, expected)):
        again, rows = function(x, weight, EPS, residual, rounded=True)
        assert torch.equal(again, total)
        assert_same(rows, plain_rounded_rows(floats(whole)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reference_is_the_models_norm(dtype: torch.dtype) -> None:
    norm = RMSNorm(48, EPS).to(DEVICE, dtype)
    norm.weight.data = random_rows((48,), dtype, seed=1)
    x, residual = (random_rows((10, 48), dtype, seed) for seed in (2, 3))
    total, normed = plain_add_norm(x, norm.weight, EPS, residual)
    assert torch.equal(total, residual + x)
    assert torch.equal(floats(normed), norm(residual + x))


def test_strides_do_not_matter() -> None:
    wide, dense = (random_rows((12, size), torch.float32, size) for size in (100, 40))
    turned = random_rows((40, 12), torch.float32, 3).T
    weight = random_rows((80,), torch.float32, 2)[::2]
    rows = wide[:, 30:70], wide[:, 1:81:2], dense, turned
    for x, residual in product(rows, rows):
        found, expected = (f(x, weight, EPS, residual) for f in (add_norm, plain_add_norm))
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_nothing_is_normed_where_there_are_no_rows() -> None:
    none = torch.empty(0, 8, device=DEVICE)
    assert floats(add_norm(none, None, EPS)[1]).shape == (0, 8)
    assert len(add_norm(none, None, EPS, rounded=True)[1]) == 0
