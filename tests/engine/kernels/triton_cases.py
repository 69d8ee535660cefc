"""What the tests of Triton kernels share: where they run, and how near is near enough."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.domain_sets import DomainSets
from engine.kernels.raw_logits import RawLogits
from engine.kernels.row_rounding import RoundedRows, Rows
from engine.noise import CounterNoise, stream_keys

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPES = (torch.float32, torch.bfloat16)
#: Of scaled logits, which are as large as 75, and what follows from them. A GPU's exponential, of
#: which the softcap is made, is good to 2e-7.
NEAR = 1e-5 if DEVICE.type == "cpu" else 3e-5
SOFTCAP = 30.0
#: Of sums of fp8 products, which Hopper's tensor cores add with some 13 bits.
FP8_SUMS = 1e-6 if DEVICE.type == "cpu" else 4e-3
Head = tuple[RawLogits, Tensor, CounterNoise]


def assert_within_an_ulp(found: Tensor, expected: Tensor) -> None:
    """Float32 to 1e-6; bfloat16 to one unit in the last place, where float32 rounds apart."""
    assert found.dtype == expected.dtype
    near = 1e-6 if found.dtype == torch.float32 else 2.0**-7
    torch.testing.assert_close(found, expected, rtol=near, atol=1e-6)
    if found.dtype == torch.bfloat16:
        assert (found != expected).float().mean() <= 0.02


def assert_same(found: Rows, expected: Rows) -> None:
    """Rounded to fp8, both, and to the same; zeros of either sign aside."""
    assert isinstance(found, RoundedRows)
    assert isinstance(expected, RoundedRows)
    assert found.dtype == expected.dtype
    assert torch.equal(found.scales, expected.scales)
    assert torch.equal(found.values.float(), expected.values.float())


def random_domain(shape: tuple[int, int, int], seed: int, sets: int = 12) -> DomainSets:
    """Sets of every size from one token to all, none of them empty, and one that nobody has."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(sets, 1, generator=generator) ** 2
    members = torch.rand(sets, shape[-1], generator=generator) < share
    certain = torch.randint(shape[-1], (sets, 1), generator=generator)
    members = members.scatter(-1, certain, True)
    members[sets - 1] = False
    which = torch.randint(-1, sets - 1, shape[:2], generator=generator, dtype=torch.int32)
    return DomainSets(members.to(DEVICE), which.to(DEVICE))


def random_noise(batch: int, seed: int) -> CounterNoise:
    """Noise of canvases at different steps."""
    generator = torch.Generator().manual_seed(seed)
    seeds = torch.randint(-(2**60), 2**60, (batch,), generator=generator)
    steps = torch.randint(1, 100, (batch,), generator=generator)
    return CounterNoise(stream_keys(seeds, steps % 3).to(DEVICE), steps.to(DEVICE))


def random_head(
    shape: tuple[int, int, int], seed: int, *, restricted: bool, dtype: torch.dtype = torch.float32
) -> Head:
    """Half of the positions free; logits from flat to far beyond the softcap."""
    generator = torch.Generator().manual_seed(seed)
    batch, length, vocabulary = shape
    spread = 10.0 ** (3 * torch.rand(batch, length, 1, generator=generator) - 1)
    values = (spread * torch.randn(shape, generator=generator)).to(DEVICE, dtype)
    free = torch.rand(batch * length, generator=generator) < 0.5
    free[seed % len(free)] = True
    order = torch.randperm(int(free.sum()), generator=generator)
    temperature = 0.3 + torch.rand(batch, generator=generator)
    domain = random_domain(shape, seed) if restricted else None
    cells = free.nonzero()[order, 0].to(DEVICE)
    logits = RawLogits(values, cells, length, SOFTCAP, temperature.to(DEVICE), domain)
    held = torch.randint(vocabulary, shape[:2], generator=generator).to(DEVICE)
    return logits, held, random_noise(batch, seed)
