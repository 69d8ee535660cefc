"""Counter-based noise: every canvas draws from a stream of its own.

A draw is a hash of (seed, candidate, step, position, token), never the state of a generator, so
a canvas draws the same whatever else is in the batch, and any draw can be made again alone.
The hash is the finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom
number generators"); int64 arithmetic wraps as unsigned would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB
_STREAMS = 4  # draws of different kinds in one step
_TOKEN, _RENOISE, _START = range(3)


class Noise(Protocol):
    """What one denoising step draws."""

    def gumbel(self, length: int, vocabulary: int) -> Tensor:
        """Standard Gumbel noise, float32 [B, L, V]; the argmax of log p + it is a draw from p."""

    def renoise(self, length: int) -> Tensor:
        """Uniform draws in (0, 1) that choose the fresh tokens, float32 [B, L]."""


@dataclass(frozen=True, eq=False)
class CounterNoise:
    """Noise of one step from counters.

    Attributes:
        keys: int64 [B], one stream a canvas; see ``stream_keys``.
        steps: int64 [B], the step each canvas is at.
    """

    keys: Tensor
    steps: Tensor

    def keep(self, rows: Tensor) -> CounterNoise:
        """The noise of the canvases at these indices, int64 [B']."""
        return CounterNoise(self.keys[rows], self.steps[rows])

    def gumbel(self, length: int, vocabulary: int) -> Tensor:
        """See ``Noise.gumbel``."""
        uniform = self._uniform(_TOKEN, length * vocabulary)
        return -torch.log(-torch.log(uniform)).view(-1, length, vocabulary)

    def renoise(self, length: int) -> Tensor:
        """See ``Noise.renoise``."""
        return self._uniform(_RENOISE, length)

    def start(self, length: int) -> Tensor:
        """Uniform draws in (0, 1) that choose the first canvas, float32 [B, L]."""
        return self._uniform(_START, length)

    def _uniform(self, stream: int, count: int) -> Tensor:
        keys = mix64(self.keys + (self.steps * _STREAMS + stream) * _GOLDEN)
        counters = torch.arange(1, count + 1, device=keys.device) * _GOLDEN
        return to_uniform(mix64(keys[:, None] + counters))


def stream_keys(seeds: Tensor, candidates: Tensor) -> Tensor:
    """One stream a (seed, candidate) pair: int64 [B] each -> int64 [B]."""
    return mix64(mix64(seeds) + candidates * _GOLDEN)


def mix64(x: Tensor) -> Tensor:
    """SplitMix64's finaliser, elementwise on int64."""
    x = (x ^ _shift_right(x, 30)) * _MIX_1
    x = (x ^ _shift_right(x, 27)) * _MIX_2
    return x ^ _shift_right(x, 31)


def to_uniform(bits: Tensor) -> Tensor:
    """The top 23 bits as a float32 in the open interval (0, 1)."""
    return (_shift_right(bits, 41).float() + 0.5) * 2.0**-23


def _shift_right(x: Tensor, count: int) -> Tensor:
    """Logical shift: torch shifts int64 arithmetically, so the copies of the sign are cleared."""
    return (x >> count) & ((1 << (64 - count)) - 1)
