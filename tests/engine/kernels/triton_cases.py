"""What the tests of Triton kernels share: where they run, and how near is near enough."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.noise import CounterNoise, stream_keys

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPES = (torch.float32, torch.bfloat16)


def assert_within_an_ulp(found: Tensor, expected: Tensor) -> None:
    """Float32 to 1e-6; bfloat16 to one unit in the last place, where float32 rounds apart."""
    assert found.dtype == expected.dtype
    near = 1e-6 if found.dtype == torch.float32 else 2.0**-7
    torch.testing.assert_close(found, expected, rtol=near, atol=1e-6)
    if found.dtype == torch.bfloat16:
        assert (found != expected).float().mean() <= 0.02


def random_domain(shape: tuple[int, int, int], seed: int) -> Tensor:
    """Domains of every size from one token to all, none of them empty: bool [B, L, V]."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(shape[:2], generator=generator)[..., None] ** 2
    domain = torch.rand(shape, generator=generator) < share
    certain = torch.randint(shape[-1], shape[:2], generator=generator)
    return domain.scatter(-1, certain[..., None], True).to(DEVICE)


def random_noise(batch: int, seed: int) -> CounterNoise:
    """Noise of canvases at different steps."""
    generator = torch.Generator().manual_seed(seed)
    seeds = torch.randint(-(2**60), 2**60, (batch,), generator=generator)
    steps = torch.randint(1, 100, (batch,), generator=generator)
    return CounterNoise(stream_keys(seeds, steps % 3).to(DEVICE), steps.to(DEVICE))
