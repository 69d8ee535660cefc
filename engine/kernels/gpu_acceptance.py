"""``engine.kernels.acceptance`` in Triton.

Nothing is sorted: a position is accepted if the entropies of all that come before it, those that
are smaller or equal and further left, sum to at most the bound. That is L^2 comparisons, 65,536 for
a canvas of 256, one program's work of some microseconds; it reads and writes 8 KB. The sums are
taken in float64 and rounded where ``engine.sampler.accept`` rounds on the CPU, so what is accepted
is the same; PyTorch's sums on CUDA are float32, and may decide otherwise within 1e-7 of the bound.

A fresh token of a restricted position takes two passes over its set, V bytes each: 262 KB, mostly
from the cache, for positions share sets. One program a position. Tokens are integers and are equal.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.domain_sets import DomainSets
from engine.kernels.gpu_numbers import RENOISE, stream_key, uniform
from engine.noise import CounterNoise

#: Positions that each is compared with at a time, and tokens that are counted at a time.
_CHUNK, _TILE = 16, 4096


def gpu_accept_and_renoise(
    entropy: Tensor,
    sampled: Tensor,
    bound: Tensor,
    noise: CounterNoise,
    vocabulary: int,
    domain: DomainSets | None = None,
    present: Tensor | None = None,
    *,
    tile: int = _TILE,
) -> tuple[Tensor, Tensor]:
    """See ``engine.kernels.acceptance.accept_and_renoise``."""
    batch, length = entropy.shape
    canvas = torch.empty((batch, length), dtype=torch.int64, device=entropy.device)
    accepted = torch.empty((batch, length), dtype=torch.bool, device=entropy.device)
    if not canvas.numel():
        return canvas, accepted
    keys, steps = noise.keys.contiguous(), noise.steps.contiguous()
    taken = accepted.view(torch.uint8)
    block = max(16, triton.next_power_of_2(length))
    _accept[(batch,)](
        entropy.contiguous(),
        sampled.contiguous(),
        bound.contiguous(),
        taken if present is None else present.contiguous().view(torch.uint8),
        keys,
        steps,
        canvas,
        taken,
        length,
        vocabulary,
        has_present=present is not None,
        block=block,
        chunk=_CHUNK,
        num_warps=warps_for(block),
    )
    if domain is not None:
        sets, which = domain.sets.view(torch.uint8), domain.which.contiguous()
        strides = sets.stride()
        _renoise[(batch * length,)](
            sets, which, taken, keys, steps, canvas, length, vocabulary, *strides, tile=tile
        )
    return canvas, accepted


def warps_for(block: int) -> int:
    """Of a program that compares so many positions; one has few, and each waits for its sums."""
    return max(1, min(16, block // 16))


@triton.jit(do_not_specialize=["length", "vocabulary"])
def _accept(
    entropy,
    sampled,
    bound,
    present,
    keys,
    steps,
    canvas,
    accepted,
    length,
    vocabulary,
    has_present: tl.constexpr,
    block: tl.constexpr,
    chunk: tl.constexpr,
):
    """Accept in one canvas; what is not accepted is drawn from the whole vocabulary."""
    row = tl.program_id(0)
    first = row * length
    at = tl.arange(0, block)
    held = at < length
    here = held
    if has_present:
        here = held & (tl.load(present + first + at, mask=held, other=0) != 0)
    own = tl.load(entropy + first + at, mask=held, other=0.0)
    before = tl.zeros([block], dtype=tl.float64)
    for start in range(0, length, chunk):
        other = start + tl.arange(0, chunk)
        counts = other < length
        if has_present:
            counts = counts & (tl.load(present + first + other, mask=counts, other=0) != 0)
        rival = tl.load(entropy + first + other, mask=counts, other=0.0)[None, :]
        tied = (rival == own[:, None]) & (other[None, :] < at[:, None])
        sooner = counts[None, :] & ((rival < own[:, None]) | tied)
        before += tl.sum(tl.where(sooner, rival, 0.0).to(tl.float64), axis=1)
    within = (before + own).to(tl.float32) - own <= tl.load(bound + row)
    taken = within & here
    key = stream_key(tl.load(keys + row), tl.load(steps + row), RENOISE)
    fresh = (uniform(key, at) * vocabulary).to(tl.int64)
    kept = tl.load(sampled + first + at, mask=held, other=0)
    tl.store(canvas + first + at, tl.where(taken, kept, fresh), mask=held)
    tl.store(accepted + first + at, taken.to(tl.uint8), mask=held)


@triton.jit(do_not_specialize=["length", "vocabulary"])
def _renoise(
    sets,
    which,
    accepted,
    keys,
    steps,
    canvas,
    length,
    vocabulary,
    sets_row,
    sets_token,
    tile: tl.constexpr,
):
    """Draw a token of one position's set, unless what was sampled there was accepted."""
    cell = tl.program_id(0)
    chosen = tl.load(which + cell)
    if (tl.load(accepted + cell) == 0) & (chosen >= 0):
        row, position = cell // length, cell % length
        allowed = sets + chosen.to(tl.int64) * sets_row
        size = 0
        for first in range(0, vocabulary, tile):
            size += tl.sum(_tile_of(allowed, first, vocabulary, sets_token, tile), axis=0)
        key = stream_key(tl.load(keys + row), tl.load(steps + row), RENOISE)
        rank = (uniform(key, position) * size).to(tl.int32)
        start, before = 0, 0
        inside = tl.sum(_tile_of(allowed, 0, vocabulary, sets_token, tile), axis=0)
        while (before + inside <= rank) & (start + tile < vocabulary):
            before += inside
            start += tile
            inside = tl.sum(_tile_of(allowed, start, vocabulary, sets_token, tile), axis=0)
        members = _tile_of(allowed, start, vocabulary, sets_token, tile)
        drawn = (members == 1) & (tl.cumsum(members, axis=0) == rank - before + 1)
        token = start + tl.sum(tl.where(drawn, tl.arange(0, tile), 0), axis=0)
        tl.store(canvas + cell, token.to(tl.int64))


@triton.jit
def _tile_of(allowed, first, vocabulary, stride, tile: tl.constexpr):
    """Which of the tokens from ``first`` on are allowed: int32, 1 or 0."""
    tokens = first + tl.arange(0, tile)
    held = tokens < vocabulary
    return tl.load(allowed + tokens.to(tl.int64) * stride, mask=held, other=0).to(tl.int32)
