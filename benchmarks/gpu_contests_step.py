"""What follows a denoising pass: the head's sweep, soft embeddings, acceptance.

Random logits, as spread as a model's that is sure of half of its positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.gpu_contest import Contest, Sizes
from engine.domain_sets import DomainSets
from engine.kernels.acceptance import accept_and_renoise, plain_accept_and_renoise
from engine.kernels.denoising_head import HeadResult, denoising_head, plain_denoising_head
from engine.kernels.raw_logits import RawLogits
from engine.kernels.soft_embedding import plain_soft_embedding, soft_embedding
from engine.noise import CounterNoise, stream_keys

SOFTCAP, BOUND, SETS = 30.0, 0.1, 8
#: Logits of the free positions, the tokens of all others, and the draws.
Step = tuple[RawLogits, Tensor, CounterNoise]


@dataclass(frozen=True)
class Batch:
    """Canvases, the share of their positions that is free, and whether it is restricted."""

    canvases: int
    free: float
    restricted: bool


def step_contests(sizes: Sizes, batch: Batch, device: torch.device) -> Iterator[Contest]:
    """Of one batch; acceptance where all positions are free."""
    step = draw_step(sizes, batch, device)
    found = denoising_head(*step)
    yield _head(sizes, batch, step)
    yield _soft(sizes, batch, step, found)
    if batch.free == 1:
        yield _acceptance(sizes, batch, step, found)


def draw_step(sizes: Sizes, batch: Batch, device: torch.device) -> Step:
    """Bfloat16 logits of the free positions alone, of which half have a likely token."""
    generator = torch.Generator(device).manual_seed(batch.canvases)
    shape = batch.canvases, sizes.length
    count = max(1, round(batch.free * shape[0] * shape[1]))
    cells = torch.randperm(shape[0] * shape[1], generator=generator, device=device)[:count]
    values = torch.empty(count, sizes.vocabulary, dtype=torch.bfloat16, device=device)
    values.normal_(0, 3, generator=generator)
    values[::2, sizes.vocabulary // 3] = 40
    domain = None
    if batch.restricted:
        members = torch.rand(SETS, sizes.vocabulary, generator=generator, device=device) < 0.5
        members[:, 0] = True
        which = torch.randint(SETS, shape, generator=generator, device=device, dtype=torch.int32)
        domain = DomainSets(members, which)
    held = torch.randint(sizes.vocabulary, shape, generator=generator, device=device)
    temperature = torch.full(shape[:1], 0.6, device=device)
    seeds = torch.arange(shape[0], device=device)
    logits = RawLogits(values, cells.sort().values, shape[1], SOFTCAP, temperature, domain)
    return logits, held, CounterNoise(stream_keys(seeds, seeds), seeds + 1)


def _head(sizes: Sizes, batch: Batch, step: Step) -> Contest:
    return Contest(
        "denoising_head",
        _case(batch),
        len(step[0].cells),
        lambda: plain_denoising_head(*step),
        lambda: denoising_head(*step),
        _read(sizes, batch, step[0]),
    )


def _soft(sizes: Sizes, batch: Batch, step: Step, found: HeadResult) -> Contest:
    logits, held, _ = step
    shape = sizes.vocabulary, sizes.hidden
    table = torch.randn(shape, dtype=torch.bfloat16, device=held.device)
    return Contest(
        "soft_embedding",
        _case(batch),
        len(logits.cells),
        lambda: plain_soft_embedding(logits, held, table),
        lambda: soft_embedding(logits, found.log_sum_exp, held, table),
        _read(sizes, batch, logits) + table.nbytes,
        2.0 * len(logits.cells) * table.numel(),
    )


def _acceptance(sizes: Sizes, batch: Batch, step: Step, found: HeadResult) -> Contest:
    logits, held, noise = step
    bound = torch.full((batch.canvases,), BOUND, device=held.device)
    given = found.entropy, found.sampled, bound, noise, sizes.vocabulary, logits.domain
    return Contest(
        "accept_and_renoise",
        _case(batch),
        len(logits.cells),
        lambda: plain_accept_and_renoise(*given),
        lambda: accept_and_renoise(*given),
        held.numel() * 29 + SETS * sizes.vocabulary * batch.restricted,
    )


def _read(sizes: Sizes, batch: Batch, logits: RawLogits) -> float:
    return logits.values.nbytes + SETS * sizes.vocabulary * batch.restricted


def _case(batch: Batch) -> str:
    canvases = f"{batch.canvases} canvas{'es' if batch.canvases > 1 else ''}"
    return f"{canvases}, {'one of eight sets' if batch.restricted else 'any token'}"
