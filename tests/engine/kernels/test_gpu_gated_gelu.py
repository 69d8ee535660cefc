"""The fused gate equals the model's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from engine.feed_forward import GatedMLP
from engine.kernels.gated_gelu import gated_gelu, plain_gated_gelu
from engine.kernels.row_rounding import floats, plain_rounded_rows
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, assert_same


def random_rows(shape: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(shape[1])
    return (2 * torch.randn(shape, generator=generator)).to(DEVICE, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 3, 64, 704, 1025, 2112])
def test_the_gate_equals_the_reference(size: int, dtype: torch.dtype) -> None:
    packed = random_rows((5, 2 * size), dtype)
    found, expected = floats(gated_gelu(packed)), floats(plain_gated_gelu(packed))
    assert found.dtype == expected.dtype
    near = 1e-6 if dtype == torch.float32 else 2.0**-7
    torch.testing.assert_close(found, expected, rtol=near, atol=1e-6)
    if dtype == torch.bfloat16:
        assert (found != expected).float().mean() <= 0.04


def test_gelu_is_as_exact_as_float32_allows() -> None:
    gates = torch.linspace(-6, 6, 1000, device=DEVICE)
    found = floats(gated_gelu(torch.stack((gates, torch.ones_like(gates)), dim=1)))[:, 0]
    exact = F.gelu(gates.double(), approximate="tanh")
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reference_is_the_models_gate(dtype: torch.dtype) -> None:
    mlp = GatedMLP(8, 12).to(dtype)
    x = torch.randn(5, 8, dtype=dtype)
    packed = torch.cat((mlp.gate_proj(x), mlp.up_proj(x)), dim=-1)
    found = mlp.down_proj(floats(plain_gated_gelu(packed)))
    torch.testing.assert_close(found, mlp(x), rtol=0, atol=1e-6 if dtype == torch.float32 else 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 64, 1025, 2112])
def test_what_is_rounded_is_the_gate_in_fp8(size: int, dtype: torch.dtype) -> None:
    packed = random_rows((5, 2 * size), dtype)
    for function in (gated_gelu, plain_gated_gelu):
        assert_same(function(packed, rounded=True), plain_rounded_rows(floats(function(packed))))


def test_gates_far_from_zero_are_open_or_shut() -> None:
    gates = torch.tensor([[-1e10, -200.0, -20.0, 0.0, 20.0, 200.0, 1e10]], device=DEVICE)
    found = floats(gated_gelu(torch.cat((gates, torch.ones_like(gates)), dim=-1)))
    assert torch.equal(found, gates.clamp_min(0))


def test_strides_do_not_matter() -> None:
    packed = random_rows((6, 40), torch.float32)
    expected = floats(gated_gelu(packed))
    for apart in (packed.repeat_interleave(2, dim=0)[::2], packed.T.contiguous().T):
        assert torch.equal(floats(gated_gelu(apart)), expected)


def test_no_tokens_are_no_work() -> None:
    none = torch.empty(0, 8, device=DEVICE)
    assert floats(gated_gelu(none)).shape == (0, 4)
    assert len(gated_gelu(none, rounded=True)) == 0
