"""Compiled draws are the bits of ``CounterNoise``, one at a time or sixteen."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit

from engine.kernels.cpu_noise import stream, uniform, uniforms
from engine.kernels.simd import store
from engine.noise import CounterNoise, stream_keys

LENGTH = 96


@njit
def one_by_one(key, step, kind, out):  # type: ignore[no-untyped-def]
    for count in range(len(out)):
        out[count] = uniform(stream(key, step, kind), count)


@njit
def by_sixteens(key, step, kind, out):  # type: ignore[no-untyped-def]
    for first in range(0, len(out), 16):
        store(out, first, uniforms(stream(key, step, kind), first))


def test_draws_are_the_same_bits_as_the_reference() -> None:
    seeds = torch.tensor([0, 1, -5, 2**62])
    keys, steps = stream_keys(seeds, torch.arange(4)), torch.tensor([1, 2, 3, 90])
    expected = CounterNoise(keys, steps).renoise(LENGTH).numpy()
    for key, step, row in zip(
        keys.numpy().view(np.uint64), steps.numpy().view(np.uint64), expected, strict=True
    ):
        for draw in (one_by_one, by_sixteens):
            found = np.zeros(LENGTH, np.float32)
            draw(key, step, np.uint64(1), found)
            assert (found == row).all()
