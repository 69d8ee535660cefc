"""The experts in Triton equal those of the model, and tokens do not see each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from engine.feed_forward import Experts
from engine.kernels.expert_parts import expert_parts, plain_expert_parts
from engine.kernels.layer_norms import summed
from engine.kernels.row_rounding import rounded_rows
from engine.precision.precision import Precision
from engine.precision.quantize import quantize
from engine.precision.weight import Weight
from tests.engine.factories import small_config
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, FP8_SUMS

pytest.importorskip("triton")
from engine.kernels.gpu_expert_parts import gpu_expert_parts, tiles_of
from engine.kernels.gpu_product_tiles import ProductTiles

#: Tokens, experts, experts a token, hidden, intermediate.
SHAPES = [(1, 1, 1, 8, 8), (9, 1, 1, 24, 12), (5, 4, 2, 16, 20), (11, 5, 5, 136, 68)]
Sizes = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Visit:
    """What ``expert_parts`` is given."""

    x: Tensor
    weights: Tensor
    chosen: Tensor
    gate_up: Weight
    down: Weight

    def found(self, tokens: slice = slice(None)) -> Tensor:
        return expert_parts(
            self.x[tokens], self.weights[tokens], self.chosen[tokens], self.gate_up, self.down
        )

    def expected(self) -> Tensor:
        return plain_expert_parts(self.x, self.weights, self.chosen, self.gate_up, self.down)


def random_visit(sizes: Sizes, precision: Precision, dtype: torch.dtype) -> Visit:
    tokens, experts, k, hidden, size = sizes
    generator = torch.Generator().manual_seed(sum(sizes))
    favour = torch.arange(experts) * 0.2  # so that some experts have many tokens, some none
    chosen = (torch.rand(tokens, experts, generator=generator) + favour).topk(k, dim=-1).indices
    gate_up = torch.randn(experts, 2 * size, hidden, generator=generator) * hidden**-0.5
    down = torch.randn(experts, hidden, size, generator=generator) * size**-0.5
    return Visit(
        torch.randn(tokens, hidden, generator=generator).to(DEVICE, dtype),
        torch.rand(tokens, k, generator=generator).to(DEVICE),
        chosen.to(DEVICE),
        quantize(gate_up, precision).to(DEVICE),
        quantize(down, precision).to(DEVICE),
    )


def assert_near(found: Tensor, expected: Tensor, precision: Precision) -> None:
    assert found.dtype == expected.dtype
    near = 1e-5 if found.dtype == torch.float32 else 2.0**-6
    # What rounds apart in the first product may round apart again before the second.
    near = max(near, 10 * FP8_SUMS) if precision is Precision.FP8 else near
    largest = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, rtol=near, atol=near * largest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("sizes", SHAPES)
def test_the_parts_equal_the_reference(
    sizes: Sizes, precision: Precision, dtype: torch.dtype
) -> None:
    visit = random_visit(sizes, precision, dtype)
    assert_near(visit.found(), visit.expected(), visit.gate_up.precision)


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("size", [36, 64])
def test_every_tile_says_the_same(size: int, precision: Precision) -> None:
    visit = random_visit((60, 3, 2, 128, size), precision, torch.bfloat16)
    for tiles in (*tiles_of(precision, torch.bfloat16), ProductTiles(32, 16, 1)):
        found = gpu_expert_parts(
            visit.x, visit.weights, visit.chosen, visit.gate_up, visit.down, tiles=tiles
        )
        assert_near(found, visit.expected(), precision)


def test_where_experts_end_within_tiles_and_chunks_none_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.kernels.gpu_expert_order._CHUNK", 512)
    visit = random_visit((700, 3, 2, 8, 8), Precision.INT8, torch.float32)
    assert_near(visit.found(), visit.expected(), visit.gate_up.precision)


@pytest.mark.parametrize("precision", Precision)
def test_a_token_has_the_same_bits_in_any_company(precision: Precision) -> None:
    visit = random_visit((40, 4, 2, 24, 12), precision, torch.bfloat16)
    whole = visit.found()
    for tokens in (slice(0, 1), slice(13, 15), slice(7, 40)):
        assert torch.equal(visit.found(tokens), whole[tokens])


@pytest.mark.parametrize("precision", Precision)
def test_scales_may_lie_in_either_order(precision: Precision) -> None:
    visit = random_visit((20, 4, 2, 300, 140), precision, torch.bfloat16)
    arranged = replace(visit, gate_up=visit.gate_up.arranged(), down=visit.down.arranged())
    assert torch.equal(arranged.gate_up.dequantized(), visit.gate_up.dequantized())
    assert torch.equal(arranged.found(), visit.found())


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_may_be_rounded_before(dtype: torch.dtype) -> None:
    visit = random_visit((20, 4, 2, 72, 40), Precision.FP8, dtype)
    given = visit.weights, visit.chosen, visit.gate_up, visit.down
    rows = rounded_rows(visit.x)
    assert torch.equal(expert_parts(rows, *given), visit.found())
    assert torch.equal(plain_expert_parts(rows, *given), visit.expected())


@pytest.mark.cuda
@pytest.mark.parametrize("precision", Precision)
def test_on_a_gpu_the_same_comes_again(precision: Precision) -> None:
    visit = random_visit((512, 16, 4, 2816, 704), precision, torch.bfloat16)
    for tiles in tiles_of(precision, torch.bfloat16):
        given = visit.x, visit.weights, visit.chosen, visit.gate_up, visit.down
        first, *others = (gpu_expert_parts(*given, tiles=tiles) for _ in range(20))
        assert all(torch.equal(other, first) for other in others)


@pytest.mark.cuda
@pytest.mark.parametrize("precision", Precision)
def test_on_a_gpu_no_number_of_tokens_changes_a_bit(precision: Precision) -> None:
    visit = random_visit((4096, 16, 4, 2816, 704), precision, torch.bfloat16)
    whole = visit.found()
    for tokens in (slice(0, 1), slice(3, 60), slice(5, 261), slice(100, 1400)):
        assert torch.equal(visit.found(tokens), whole[tokens])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 4])
def test_the_reference_is_the_models_experts(count: int, dtype: torch.dtype) -> None:
    k = min(count, 2)
    visit = random_visit((13, count, k, 32, 16), Precision.FLOAT32, dtype)
    experts = Experts(small_config(num_experts=count, top_k_experts=k)).to(DEVICE, dtype)
    experts.gate_up_proj.data = visit.gate_up.values.to(dtype)
    experts.down_proj.data = visit.down.values.to(dtype)
    with torch.no_grad():
        expected = experts(visit.x, visit.weights, visit.chosen)
    assert_near(summed(visit.expected()), expected, Precision.FLOAT32)


def test_strides_and_dtypes_of_weights_do_not_matter() -> None:
    visit = random_visit((6, 4, 2, 24, 12), Precision.INT4, torch.float32)
    expected = visit.found()
    x = visit.x.T.contiguous().T
    chosen, weights = (y.T.contiguous().T for y in (visit.chosen, visit.weights))
    found = expert_parts(x, weights.double(), chosen, visit.gate_up, visit.down)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("precision", Precision)
def test_tokens_may_lie_apart(precision: Precision) -> None:
    visit = random_visit((6, 4, 2, 24, 12), precision, torch.bfloat16)
    apart = replace(visit, x=torch.cat((visit.x, visit.x), dim=1)[:, :24])
    assert torch.equal(apart.found(), visit.found())


def test_no_tokens_make_none() -> None:
    visit = random_visit((3, 4, 2, 24, 12), Precision.INT8, torch.bfloat16)
    assert visit.found(slice(0, 0)).shape == (0, 2, 24)
