"""The kernels' draws are those of ``engine.noise`` to the bit; their numbers are PyTorch's."""

from __future__ import annotations

import pytest
import torch

from tests.engine.kernels.triton_cases import DEVICE, random_noise

pytest.importorskip("triton")
import triton
import triton.language as tl

from engine.kernels.gpu_numbers import RENOISE, TOKEN, nearest, stream_key, tanh, uniform

COUNT = 512


@triton.jit
def _draw(keys, steps, out, count: tl.constexpr, kind: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, count)
    key = stream_key(tl.load(keys + row), tl.load(steps + row), kind)
    tl.store(out + row * count + at, uniform(key, at))


@triton.jit
def _map(x, hyperbolic, rounded, count: tl.constexpr):
    at = tl.arange(0, count)
    value = tl.load(x + at)
    tl.store(hyperbolic + at, tanh(value))
    tl.store(rounded + at, nearest(value, tl.bfloat16))


@pytest.mark.parametrize("stream", [TOKEN, RENOISE])
def test_draws_are_the_noises_to_the_bit(stream: tl.constexpr) -> None:
    noise = random_noise(20, seed=1)
    drawn = torch.empty(20, COUNT, device=DEVICE)
    _draw[(20,)](noise.keys, noise.steps, drawn, count=COUNT, kind=stream)
    if stream is RENOISE:
        assert torch.equal(drawn, noise.renoise(COUNT))
    else:
        gumbel = noise.gumbel(1, COUNT)[:, 0]
        assert torch.equal(-torch.log(-torch.log(drawn)), gumbel)


def test_tanh_and_rounding_are_pytorchs() -> None:
    for spread in (1e-6, 1e-3, 0.15, 1.0, 30.0, 1e4):
        x = spread * torch.randn(COUNT, generator=torch.Generator().manual_seed(0)).to(DEVICE)
        x[:4] = torch.tensor([0.0, -spread, 1 + 2.0**-8, 1 + 3 * 2.0**-8], device=DEVICE)
        hyperbolic, rounded = torch.empty_like(x), torch.empty_like(x, dtype=torch.bfloat16)
        _map[(1,)](x, hyperbolic, rounded, count=COUNT)
        torch.testing.assert_close(hyperbolic, x.tanh(), rtol=2e-6, atol=0)
        assert torch.equal(rounded, x.bfloat16())
