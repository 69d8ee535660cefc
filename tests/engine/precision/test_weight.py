"""A weight knows its shape and its size however it is kept."""

from __future__ import annotations

import pytest
import torch

from engine.kernels.row_rounding import plain_rounded_rows
from engine.kernels.weight_product import plain_weight_product
from engine.precision.precision import Precision
from engine.precision.quantize import quantize
from engine.precision.weight import Weight

BYTES = {
    Precision.FLOAT32: 4 * 6 * 200,
    Precision.BFLOAT16: 2 * 6 * 200,
    Precision.FP8: 6 * 200 + 6 * 4,
    Precision.INT8: 6 * 200 + 6 * 4,
    Precision.INT4: 6 * 100 + 6 * 2 * 2,
}


def random_weight(precision: Precision, outputs: int = 6, seed: int = 0) -> Weight:
    generator = torch.Generator().manual_seed(seed)
    return quantize(torch.randn(outputs, 200, generator=generator), precision)


@pytest.mark.parametrize("precision", Precision)
def test_it_knows_shape_precision_and_bytes(precision: Precision) -> None:
    weight = random_weight(precision)
    assert weight.shape == (6, 200)
    assert (weight.outputs, weight.inputs) == (6, 200)
    assert weight.precision is precision
    assert weight.nbytes == BYTES[precision]
    assert weight.dequantized().shape == (6, 200)
    assert weight.to("cpu").nbytes == weight.nbytes


@pytest.mark.parametrize("precision", Precision)
def test_outputs_are_joined_one_after_another(precision: Precision) -> None:
    parts = [random_weight(precision, outputs, seed=outputs) for outputs in (2, 5, 1)]
    whole = Weight.join(parts)
    assert whole.shape == (8, 200)
    assert whole.precision is precision
    expected = torch.cat([part.dequantized() for part in parts])
    assert torch.equal(whole.dequantized(), expected)


@pytest.mark.parametrize("precision", Precision)
def test_the_product_is_that_of_the_dequantised(precision: Precision) -> None:
    weight, x = random_weight(precision), torch.randn(3, 200)
    taken = plain_rounded_rows(x).exact() if precision is Precision.FP8 else x
    expected = taken @ weight.dequantized().float().T
    for found in (weight.product(x), plain_weight_product(x, weight)):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)


def test_parts_of_several_precisions_are_not_joined() -> None:
    parts = [random_weight(Precision.INT4), random_weight(Precision.INT8)]
    with pytest.raises(ValueError, match="of one precision can be joined, got int4, int8"):
        Weight.join(parts)


def test_values_and_scales_that_do_not_belong_together_are_refused() -> None:
    weight = random_weight(Precision.INT4)
    assert weight.scales is not None
    with pytest.raises(ValueError, match=r"int4 has scales of dtype torch\.bfloat16"):
        Weight(weight.values)
    with pytest.raises(ValueError, match="bfloat16 has scales of dtype None"):
        Weight(weight.values.bfloat16(), weight.scales)
    with pytest.raises(ValueError, match=r"shape \[6, 1\], but the values ask for \[6, 2\]"):
        Weight(weight.values, weight.scales[:, :1])
    with pytest.raises(ValueError, match="dtype float64, accepted: float32, bfloat16"):
        Weight(torch.zeros(2, 2, dtype=torch.float64))
