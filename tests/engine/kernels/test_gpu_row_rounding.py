"""Rows in fp8 equal the reference's, zeros of either sign aside."""

from __future__ import annotations

import pytest
import torch

from engine.kernels.row_rounding import floats, plain_rounded_rows, rounded_rows
from engine.precision.precision import Precision
from engine.precision.quantize import quantize
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, assert_same


def random_rows(rows: int, size: int, dtype: torch.dtype) -> torch.Tensor:
    """Of numbers that lie far apart, with a row of zeros."""
    generator = torch.Generator().manual_seed(size)
    spread = 10.0 ** (6 * torch.rand(rows, size, generator=generator) - 3)
    x = spread * torch.randn(rows, size, generator=generator)
    x[rows // 2] = 0
    return x.to(DEVICE, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 24, 700, 2816])
def test_rows_equal_the_reference(size: int, dtype: torch.dtype) -> None:
    x = random_rows(9, size, dtype)
    for rows in (x, x.T.contiguous().T, x[:0]):
        found, expected = rounded_rows(rows), plain_rounded_rows(rows)
        assert found.values.dtype == torch.float8_e4m3fn
        assert found.dtype == dtype
        assert_same(found, expected)


def test_a_row_is_kept_to_a_sixteenth_of_each_number() -> None:
    x = torch.linspace(0.02, 1.0, 500, device=DEVICE)[None]
    assert ((rounded_rows(x).exact() - x).abs() <= x / 16).all()
    assert torch.equal(rounded_rows(torch.zeros(2, 5)).exact(), torch.zeros(2, 5))


def test_rows_do_not_see_each_other() -> None:
    x = random_rows(9, 700, torch.bfloat16)
    assert_same(rounded_rows(x[3:5]), rounded_rows(x)[torch.tensor([3, 4])])


def test_a_row_too_small_for_a_scale_is_zeros() -> None:
    x = torch.tensor([[1e-44, -3e-43, 0.0], [1.0, 0.5, 0.0]], device=DEVICE)
    for rows in (rounded_rows(x), plain_rounded_rows(x)):
        assert rows.scales[0] == 1
        assert not rows.values[0].float().any()
        assert rows.values[1].float().tolist() == [448.0, 224.0, 0.0]


def test_rounded_rows_are_not_taken_for_floats() -> None:
    x = torch.ones(2, 3, device=DEVICE)
    assert floats(x) is x
    with pytest.raises(TypeError, match="weights in fp8"):
        floats(rounded_rows(x))


def test_a_product_loses_as_much_as_is_said() -> None:
    """2.6 % by rounded weights, 3.7 % by rounded rows as well; see docs/diffusiongemma.md."""
    generator = torch.Generator().manual_seed(0)
    matrix, x = (torch.randn(count, 2816, generator=generator) for count in (256, 128))
    rounded = quantize(matrix, Precision.FP8).dequantized()
    exact = x @ matrix.T
    for rows, said in ((x, 0.026), (plain_rounded_rows(x).exact(), 0.037)):
        assert float((rows @ rounded.T - exact).norm() / exact.norm()) == pytest.approx(
            said, abs=1e-3
        )
