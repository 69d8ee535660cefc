"""What is kept in fewer bits is near what it was."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.precision.nibbles import packed, unpacked
from engine.precision.pairs import paired, unpaired
from engine.precision.precision import GROUP, Precision
from engine.precision.quantize import quantize, relative_error

#: Of normal weights, rows of 1024; a few hundredths more than was found.
BOUNDS = {
    Precision.FLOAT32: 0.0,
    Precision.BFLOAT16: 0.0018,
    Precision.FP8: 0.0265,
    Precision.INT8: 0.0081,
    Precision.INT4: 0.099,
}
FEWER_BITS = [p for p in Precision if p.scale_dtype is not None]


def random_matrix(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("precision", Precision)
def test_the_error_of_normal_weights_is_as_small_as_it_should_be(precision: Precision) -> None:
    tensor = random_matrix(64, 8 * GROUP)
    assert relative_error(tensor, quantize(tensor, precision)) <= BOUNDS[precision]


@given(
    outputs=st.integers(1, 5),
    fours=st.integers(1, 75),
    magnitude=st.integers(-20, 20),
    precision=st.sampled_from(FEWER_BITS),
)
def test_no_value_is_off_by_more_than_its_scale_allows(
    outputs: int, fours: int, magnitude: int, precision: Precision
) -> None:
    tensor = random_matrix(outputs, 4 * fours, seed=fours) * 2.0**magnitude
    weight = quantize(tensor, precision)
    assert weight.shape == tensor.shape
    assert weight.scales is not None
    scales = weight.scales.float().abs()
    off = (weight.dequantized() - tensor).abs()
    if precision is Precision.INT8:
        assert (off <= 0.5001 * scales).all()
    elif precision is Precision.FP8:  # 3 bits of fraction; below 2^-6 of the scale, steps of 2^-9
        assert (off <= (tensor.abs() * 2.0**-4).clamp_min(2.0**-10 * scales) * 1.001).all()
    else:  # what clips is at most a fifth of the farthest, which lay on -8 scales
        wide = scales.repeat_interleave(GROUP, dim=-1)[:, : tensor.shape[1]]
        assert (off <= 2.6 * wide).all()
        assert (off <= 0.501 * wide).float().mean() > 0.5


@pytest.mark.parametrize("precision", FEWER_BITS)
def test_what_can_be_kept_exactly_is(precision: Precision) -> None:
    tensor = torch.tensor([[-8.0, 7.0, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0], [4.0, -2.0, 1.0, 0.5]])
    if precision is Precision.INT8:
        tensor = tensor[1:2] + torch.tensor([127.0, -127.0, 5.0, 0.0])
    elif precision is Precision.FP8:
        tensor = tensor[1:] * torch.tensor([448.0 / 4])
    assert torch.equal(quantize(tensor, precision).dequantized(), tensor)


@pytest.mark.parametrize("precision", Precision)
def test_experts_are_quantised_each_for_itself(precision: Precision) -> None:
    tensor = random_matrix(3, 6, 136) * torch.tensor([1e-3, 1.0, 1e3])[:, None, None]
    weight = quantize(tensor, precision)
    assert weight.shape == tensor.shape
    for expert, matrix in zip(weight.dequantized(), tensor, strict=True):
        assert torch.equal(expert, quantize(matrix, precision).dequantized())


def test_the_error_of_experts_is_that_of_all_together() -> None:
    tensor = random_matrix(3, 6, 136) * torch.tensor([1e-3, 1.0, 2.0])[:, None, None]
    weight = quantize(tensor, Precision.INT4)
    expected = (weight.dequantized() - tensor).norm() / tensor.norm()
    assert relative_error(tensor, weight) == pytest.approx(float(expected), rel=1e-4)
    assert relative_error(0 * tensor, quantize(0 * tensor, Precision.INT4)) == 0.0


@pytest.mark.parametrize("precision", FEWER_BITS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_is_refused(precision: Precision, value: float) -> None:
    tensor = random_matrix(4, 8)
    tensor[1, 2] = value
    with pytest.raises(ValueError, match="not all values are finite"):
        quantize(tensor, precision)


@given(st.integers(1, 100), st.integers(0, 100))
def test_what_is_packed_is_unpacked(fours: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(-8, 8, (2, 3, 4 * fours), dtype=torch.int8, generator=generator)
    assert packed(values).shape == (2, 3, 2 * fours)
    assert torch.equal(unpacked(packed(values)), values)


def test_the_quarters_of_a_group_are_the_nibbles_of_its_16_bits() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randint(-8, 8, (144,), dtype=torch.int8, generator=generator)  # 128, and 16 more
    found = packed(values[None]).view(torch.uint16)[0]
    for first, quarter, fours in ((0, 32, found[:32]), (128, 4, found[32:])):
        for i, bits in enumerate(fours.tolist()):
            nibbles = [(bits >> shift & 15) - 8 for shift in (0, 4, 8, 12)]
            assert nibbles == values[first + i : first + 4 * quarter : quarter].tolist()


@given(st.integers(1, 100), st.integers(0, 100))
def test_what_is_paired_is_unpaired(pairs: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(-128, 128, (2, 3, 2 * pairs), dtype=torch.int8, generator=generator)
    assert torch.equal(unpaired(paired(values)), values)


def test_pairs_are_half_a_block_apart() -> None:
    values = torch.arange(72, dtype=torch.int8)  # a block, and 8 more
    found = paired(values).tolist()
    assert found[:4] == [0, 32, 1, 33]
    assert found[64:] == [64, 68, 65, 69, 66, 70, 67, 71]


@pytest.mark.parametrize(
    ("precision", "inputs", "together"),
    [(Precision.INT4, 6, 4), (Precision.INT8, 7, 2)],
)
def test_inputs_that_cannot_be_packed_are_refused(
    precision: Precision, inputs: int, together: int
) -> None:
    expected = f"{precision.value} takes a multiple of {together} inputs, but there are {inputs}"
    with pytest.raises(ValueError, match=expected):
        quantize(random_matrix(2, inputs), precision)
