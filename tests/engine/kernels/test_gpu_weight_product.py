"""The product in Triton equals that of the dequantised weight, and rows do not see each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.kernels.row_rounding import plain_rounded_rows, rounded_rows
from engine.kernels.weight_product import plain_weight_product, weight_product
from engine.precision.precision import Precision
from engine.precision.quantize import quantize
from engine.precision.weight import Weight
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, FP8_SUMS

pytest.importorskip("triton")
from engine.kernels.gpu_product_tiles import ProductTiles
from engine.kernels.gpu_weight_product import gpu_weight_product, tiles_for, tiles_of

SHAPES = [(1, 1, 8), (5, 70, 24), (33, 16, 128), (40, 65, 200), (3, 9, 320)]


def random_product(
    rows: int, outputs: int, inputs: int, precision: Precision, dtype: torch.dtype
) -> tuple[Tensor, Weight]:
    generator = torch.Generator().manual_seed(rows * outputs + inputs)
    matrix = torch.randn(outputs, inputs, generator=generator) * inputs**-0.5
    x = torch.randn(rows, inputs, generator=generator)
    return x.to(DEVICE, dtype), quantize(matrix, precision).to(DEVICE)


def assert_near(found: Tensor, expected: Tensor, precision: Precision) -> None:
    """bfloat16: weights rounded and not, 2^-9 each, and the results, which may be near 0."""
    assert found.dtype == expected.dtype
    near = 1e-6 if found.dtype == torch.float32 else 2.0**-7
    near = max(near, FP8_SUMS) if precision is Precision.FP8 else near
    largest = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, rtol=near, atol=near * largest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_product_equals_the_reference(
    shape: tuple[int, int, int], precision: Precision, dtype: torch.dtype
) -> None:
    x, weight = random_product(*shape, precision, dtype)
    found = weight_product(x, weight)
    assert_near(found, plain_weight_product(x, weight), precision)
    taken = plain_rounded_rows(x).exact() if precision is Precision.FP8 else x
    exact = taken.double() @ weight.dequantized().double().T
    bound = 1e-6 if dtype == torch.float32 else 2.0**-7
    bound = max(bound, FP8_SUMS) if precision is Precision.FP8 else bound
    assert float((found - exact).norm() / exact.norm()) < bound


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("outputs", [130, 256])
def test_every_tile_says_the_same(outputs: int, precision: Precision) -> None:
    for dtype in DTYPES:
        x, weight = random_product(70, outputs, 136, precision, dtype)
        for tiles in tiles_of(precision, dtype):
            found = gpu_weight_product(x, weight, tiles=tiles)
            assert_near(found, plain_weight_product(x, weight), precision)


@pytest.mark.parametrize("precision", Precision)
def test_a_row_has_the_same_bits_in_any_company(precision: Precision) -> None:
    for dtype in DTYPES:
        x, weight = random_product(200, 66, 136, precision, dtype)
        whole = weight_product(x, weight)
        for first, end in ((0, 1), (17, 19), (60, 200)):
            assert torch.equal(weight_product(x[first:end], weight), whole[first:end])


@pytest.mark.cuda
@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("shape", [(4224, 2816), (2816, 2112)])
def test_on_a_gpu_no_number_of_rows_changes_a_bit(
    shape: tuple[int, int], precision: Precision
) -> None:
    x, weight = random_product(4096, *shape, precision, torch.bfloat16)
    whole = weight_product(x, weight)
    for first, end in ((0, 1), (3, 60), (5, 261), (100, 1400)):
        assert torch.equal(weight_product(x[first:end], weight), whole[first:end])


def test_the_rows_may_be_strided() -> None:
    for precision in Precision:
        x, weight = random_product(12, 20, 40, precision, torch.float32)
        for strided in (x.T.contiguous().T, torch.cat((x, x), dim=1)[:, :40]):
            assert torch.equal(weight_product(strided, weight), weight_product(x, weight))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_may_be_rounded_before(dtype: torch.dtype) -> None:
    x, weight = random_product(33, 70, 136, Precision.FP8, dtype)
    turned = plain_rounded_rows(x.T.contiguous().T)
    assert turned.values.stride(1) != 1
    for product in (weight_product, plain_weight_product):
        for rows in (rounded_rows(x), turned):
            assert torch.equal(product(rows, weight), product(x, weight))
    for precision in set(Precision) - {Precision.FP8}:
        _, other = random_product(33, 70, 136, precision, dtype)
        for product in (weight_product, plain_weight_product):
            with pytest.raises(TypeError, match="weights in fp8"):
                product(rows, other)


def test_rows_in_fp8_may_have_any_number_of_inputs() -> None:
    x, weight = random_product(5, 20, 133, Precision.FP8, torch.bfloat16)
    assert_near(weight_product(x, weight), plain_weight_product(x, weight), weight.precision)


def test_a_band_of_tiles_is_not_left_out() -> None:
    x, weight = random_product(300, 40, 16, Precision.INT8, torch.float32)
    found = gpu_weight_product(x, weight, tiles=ProductTiles(16, 16, 1))
    assert_near(found, plain_weight_product(x, weight), weight.precision)


def test_no_rows_make_none() -> None:
    x, weight = random_product(3, 20, 40, Precision.INT4, torch.bfloat16)
    assert weight_product(x[:0], weight).shape == (0, 20)


@pytest.mark.parametrize(
    ("rows", "outputs", "tiles"),
    [
        (256, 8192, (128, 128)),  # queries, keys and values of a canvas
        (256, 4224, (128, 64)),  # gates of its dense MLP
        (256, 2816, (128, 64)),
        (256, 128, (64, 32)),  # the router's: too few, whatever the tile
        (1, 262_144, (64, 32)),
        (8192, 2816, (128, 256)),
    ],
)
def test_tiles_are_as_large_as_leaves_the_multiprocessors_enough(
    rows: int, outputs: int, tiles: tuple[int, int]
) -> None:
    found = tiles_for(rows, outputs, Precision.BFLOAT16, torch.bfloat16)
    assert (found.out, found.rows) == tiles
