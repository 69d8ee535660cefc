"""``engine.kernels.denoising_head`` in Triton: one read of the logits, in parts of the vocabulary.

A program sweeps one part of one row, tile by tile, with a running maximum, sum of exponentials and
their first moment (online softmax: Milakov and Gimelshein 2018, arXiv 1805.02867), and keeps the
best token with and without noise. A second kernel joins a row's parts. Parts depend on V alone, so
that a canvas never depends on its batch, and are many, so that one canvas fills a GPU.

At 256 rows of V = 262,144 it reads 134 MB of bfloat16 logits, sets of 262 KB from the cache, and
writes 80 KB: 32 us at 4.2 TB/s. What binds is instructions, some 60 a logit. A third of them hash
a counter, which is only in tiles whose likeliest token could still win with the largest noise there
is; two logarithms, as many again, are taken only in tiles where a token could win if its -log(u)
were 1 - u, which is less: about one tile after 1, 2, 4, 8 others where logits are flat. Neither
changes the result.

How near the reference: the dtype of the logits changes nothing, for both are float32 inside.
Scaled logits carry the rounding of numbers up to softcap / temperature, 75 at 30 / 0.4, some 5e-6,
and so do log-sum-exps and scores; entropy and mass are held to 1e-5 with them, and to 3e-5 on a
GPU, whose exponential is less exact than NumPy's. Tokens are equal but where two scores agree
within that rounding: where two logits do, the reference's probabilities may tie, and it takes the
first.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.denoising_head import HeadResult
from engine.kernels.gpu_numbers import (
    ABSENT,
    LARGEST_GUMBEL,
    TOKEN,
    behind,
    exp,
    scaled,
    stream_key,
    uniform,
)
from engine.kernels.raw_logits import RawLogits
from engine.noise import CounterNoise

#: Tokens a tile, and tiles a part.
_TILE, _TILES = 512, 64
#: What the first kernel leaves of a part, floats and integers.
_FLOATS, _INTEGERS = 6, 3
_NONE = tl.constexpr(2**31 - 1)
#: Less than 1 by more than bounds of scores round.
_ALMOST = tl.constexpr(0.999)


def gpu_denoising_head(
    logits: RawLogits,
    held: Tensor,
    noise: CounterNoise,
    *,
    tile: int = _TILE,
    tiles: int = _TILES,
) -> HeadResult:
    """See ``engine.kernels.denoising_head.denoising_head``."""
    result = HeadResult.clamped(held)
    rows, parts = len(logits.cells), triton.cdiv(logits.vocabulary, tile * tiles)
    if not rows:
        return result
    values, cells = logits.values, logits.cells.contiguous()
    compact = values.dim() == 2
    floats = torch.empty((_FLOATS, rows, parts), device=values.device)
    integers = torch.empty((_INTEGERS, rows, parts), dtype=torch.int32, device=values.device)
    _sweep[(rows, parts)](
        values,
        cells,
        *set_arguments(logits, cells),
        logits.temperature.contiguous(),
        noise.keys.contiguous(),
        noise.steps.contiguous(),
        floats,
        integers,
        *((values.stride(0), 0, values.stride(1)) if compact else values.stride()),
        logits.length,
        logits.vocabulary,
        logits.softcap,
        compact=compact,
        tile=tile,
        tiles=tiles,
        num_warps=warps_for(tile),
    )
    _join[(rows,)](
        cells,
        floats,
        integers,
        result.draft,
        result.sampled,
        result.entropy,
        result.log_sum_exp,
        result.candidate_mass,
        parts,
        block=triton.next_power_of_2(parts),
        num_warps=1,
    )
    return result


def warps_for(tile: int) -> int:
    """Warps that sweep tiles of so many tokens, of which a thread has eight."""
    return max(1, min(16, tile // 256))


def set_arguments(logits: RawLogits, cells: Tensor) -> tuple[int, Tensor, Tensor, int, int]:
    """1 for sets or 0 for none; sets as bytes, each position's, the strides of a set and a token.

    Where there are none, something of the same types fills in. A canvas without sets is to have the
    same bits beside one with them, so that both must run the same code, and not only the same
    source: a compiler fuses a product and a sum in one version of it and not in another.
    """
    if logits.domain is None:
        return 0, cells.view(torch.uint8), cells.view(torch.int32), logits.vocabulary, 1
    sets = logits.domain.sets.view(torch.uint8)
    return 1, sets, logits.domain.which.contiguous(), sets.stride(0), sets.stride(1)


@triton.jit(do_not_specialize=["restricted", "length"])
def _sweep(
    logits,
    cells,
    restricted,
    sets,
    which,
    sets_row,
    sets_token,
    temperature,
    keys,
    steps,
    floats,
    integers,
    logits_row,
    logits_position,
    logits_token,
    length,
    vocabulary,
    softcap,
    compact: tl.constexpr,
    tile: tl.constexpr,
    tiles: tl.constexpr,
):
    """One part of the vocabulary at one free position."""
    row, part = tl.program_id(0), tl.program_id(1)
    cell = tl.load(cells + row)
    canvas, position = cell // length, cell % length
    logits += (row if compact else canvas).to(tl.int64) * logits_row + position * logits_position
    chosen = tl.load(which + cell, mask=restricted != 0, other=-1)
    limited = chosen >= 0
    sets += tl.maximum(chosen, 0).to(tl.int64) * sets_row
    warmth = tl.load(temperature + canvas)
    key = stream_key(tl.load(keys + canvas), tl.load(steps + canvas), TOKEN)
    key = behind(key, position * vocabulary + part * tiles * tile)
    top = ABSENT
    best = ABSENT
    top_of_all = ABSENT
    draft = 0
    sampled = 0
    sums = tl.zeros([tile], tl.float32)
    moments = tl.zeros([tile], tl.float32)
    sums_of_all = tl.zeros([tile], tl.float32)
    members = tl.zeros([tile], tl.int32)
    for step in range(tiles):
        tokens = (part * tiles + step) * tile + tl.arange(0, tile)
        held = tokens < vocabulary
        raw = tl.load(logits + tokens.to(tl.int64) * logits_token, mask=held, other=0.0)
        x = scaled(raw, softcap, warmth)
        inside = held
        if limited:
            top_of_all, sums_of_all = _with_tile(top_of_all, sums_of_all, x, held)
            allowed = tl.load(sets + tokens.to(tl.int64) * sets_token, mask=held, other=0)
            inside = allowed != 0
            members += inside.to(tl.int32)
        x = tl.where(inside, x, ABSENT)
        likeliest = tl.max(x, axis=0)
        if likeliest > top:
            draft = _first_of(x == likeliest, tokens)
            shrink = tl.exp(top - likeliest)
            moments = (moments + sums * (top - likeliest)) * shrink
            sums = sums * shrink
            top = likeliest
        weights = tl.where(inside, exp(x - top), 0.0)
        sums += weights
        moments += weights * (x - top)
        if likeliest + LARGEST_GUMBEL > best:
            draws = uniform(key, (step * tile + tl.arange(0, tile)).to(tl.uint32))
            # A draw's -log(u) is at least 1 - u, which is cheap and, where a token may win, near.
            needed = tl.exp(best - top) * _ALMOST
            if tl.max(weights - (1.0 - draws) * needed, axis=0) > 0.0:
                scores = tl.where(inside, x - tl.log(-tl.log(draws)), ABSENT)
                highest = tl.max(scores, axis=0)
                if highest > best:
                    sampled = _first_of(scores == highest, tokens)
                    best = highest
    at = row.to(tl.int64) * tl.num_programs(1) + part
    plane = tl.num_programs(0).to(tl.int64) * tl.num_programs(1)
    tl.store(floats + at, top)
    tl.store(floats + plane + at, tl.sum(sums, axis=0))
    tl.store(floats + 2 * plane + at, tl.sum(moments, axis=0))
    tl.store(floats + 3 * plane + at, best)
    tl.store(integers + at, draft)
    tl.store(integers + plane + at, sampled)
    tl.store(floats + 4 * plane + at, top_of_all if limited else top)
    tl.store(floats + 5 * plane + at, tl.sum(sums_of_all if limited else sums, axis=0))
    tl.store(integers + 2 * plane + at, tl.sum(members, axis=0))


@triton.jit
def _with_tile(top, sums, x, held):
    """A running maximum, and sum of exponentials less it, with one more tile."""
    x = tl.where(held, x, ABSENT)
    grown = tl.maximum(top, tl.max(x, axis=0))
    return grown, sums * exp(top - grown) + tl.where(held, exp(x - grown), 0.0)


@triton.jit
def _first_of(chosen, tokens):
    """The smallest of the chosen tokens."""
    return tl.min(tl.where(chosen, tokens, _NONE), axis=0)


@triton.jit
def _join(
    cells,
    floats,
    integers,
    drafts,
    samples,
    entropies,
    log_sum_exps,
    masses,
    parts,
    block: tl.constexpr,
):
    """What one row's parts come to."""
    row = tl.program_id(0)
    part = tl.arange(0, block)
    held = part < parts
    at = row.to(tl.int64) * parts + part
    plane = tl.num_programs(0).to(tl.int64) * parts
    cell = tl.load(cells + row)
    tops = tl.load(floats + at, mask=held, other=ABSENT)
    sums = tl.load(floats + plane + at, mask=held, other=0.0)
    moments = tl.load(floats + 2 * plane + at, mask=held, other=0.0)
    best = tl.load(floats + 3 * plane + at, mask=held, other=ABSENT)
    draft = tl.load(integers + at, mask=held, other=0)
    sampled = tl.load(integers + plane + at, mask=held, other=0)
    top = tl.max(tops, axis=0)
    shrink = tl.exp(tops - top)
    total = tl.sum(sums * shrink, axis=0)
    moment = tl.sum((moments + sums * (tops - top)) * shrink, axis=0)
    log_total = tl.log(total)
    leader = held & (tops == top)
    winner = held & (best == tl.max(best, axis=0))
    tl.store(drafts + cell, _first_of(leader, draft).to(tl.int64))
    tl.store(samples + cell, _first_of(winner, sampled).to(tl.int64))
    tl.store(entropies + cell, tl.maximum(log_total - moment / total, 0.0))
    tl.store(log_sum_exps + cell, top + log_total)
    tops_of_all = tl.load(floats + 4 * plane + at, mask=held, other=ABSENT)
    sums_of_all = tl.load(floats + 5 * plane + at, mask=held, other=0.0)
    members = tl.sum(tl.load(integers + 2 * plane + at, mask=held, other=0), axis=0)
    top_of_all = tl.max(tops_of_all, axis=0)
    whole = tl.sum(sums_of_all * tl.exp(tops_of_all - top_of_all), axis=0)
    mass = tl.exp(top - top_of_all) * (total / whole)
    # None are counted where all are allowed, whose sums may round apart.
    tl.store(masses + cell, tl.where(members <= 1, 1.0, mass))
