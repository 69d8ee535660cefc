"""Milliseconds of each Triton kernel on a GPU, beside the PyTorch function that it equals.

At the sizes of DiffusionGemma 26B-A4B: canvases of 256 positions, V = 262,144, D = 2816, bfloat16.
Random logits, as spread as a model's that is sure of half of its positions. Each side is run alone
on a flushed cache; figures are medians. Columns:

  rows         free positions, for the norm all
  domain       whether each position is restricted to one of eight sets of tokens
  plain, triton    milliseconds
  x            how many times as fast
  GB/s, TFLOPS     of the kernel, counting what must be moved and multiplied at the least
  error        largest difference of a float, and how many of the tokens and flags differ

Needs a CUDA device, torch and triton alone. Writes benchmarks/results/gpu_kernels.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import print_table, write_results
from engine.domain_sets import DomainSets
from engine.kernels.acceptance import accept_and_renoise, plain_accept_and_renoise
from engine.kernels.add_norm import add_norm, plain_add_norm
from engine.kernels.denoising_head import HeadResult, denoising_head, plain_denoising_head
from engine.kernels.raw_logits import RawLogits
from engine.kernels.soft_embedding import plain_soft_embedding, soft_embedding
from engine.noise import CounterNoise, stream_keys

SOFTCAP, EPS, BOUND, SETS = 30.0, 1e-6, 0.1, 8


@dataclass(frozen=True)
class Sizes:
    """Of one batch."""

    canvases: int
    length: int
    vocabulary: int
    hidden: int
    free: float
    restricted: bool


@dataclass(frozen=True)
class Contest:
    """The two sides of a row, and what either must do at the least."""

    kernel: str
    rows: int
    plain: Callable[[], object]
    fused: Callable[[], object]
    bytes: float
    flops: float = 0.0


def main() -> None:
    arguments = read_arguments()
    if not torch.cuda.is_available():
        print("needs a CUDA device")
        return
    rows = []
    with torch.inference_mode():
        for sizes in sizes_of(arguments):
            for contest in contests(sizes, torch.device("cuda")):
                rows.append(measure(contest, sizes))
                torch.cuda.empty_cache()
    print_table("Triton kernels, milliseconds", rows)
    print(write_results("gpu_kernels", rows, vocabulary=arguments.vocabulary))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--canvases", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=262_144)
    parser.add_argument("--hidden", type=int, default=2816)
    parser.add_argument("--free", type=float, nargs="+", default=[1.0, 0.25], help="shares")
    return parser.parse_args()


def sizes_of(arguments: argparse.Namespace) -> Iterator[Sizes]:
    """Every batch, without domains and with."""
    for canvases in arguments.canvases:
        for free in arguments.free:
            for restricted in (False, True):
                yield Sizes(
                    canvases,
                    arguments.length,
                    arguments.vocabulary,
                    arguments.hidden,
                    free,
                    restricted,
                )


def contests(sizes: Sizes, device: torch.device) -> Iterator[Contest]:
    """What is measured of a batch; the norm and acceptance where all positions are free."""
    logits, held, noise = draw_step(sizes, device)
    shape = sizes.canvases, sizes.length
    cells, vocabulary, hidden = len(logits.cells), sizes.vocabulary, sizes.hidden
    table = torch.randn(vocabulary, hidden, dtype=torch.bfloat16, device=device)
    found = denoising_head(logits, held, noise)
    sets = SETS * vocabulary * sizes.restricted
    read = cells * vocabulary * logits.values.element_size() + sets
    yield Contest(
        "denoising_head",
        cells,
        lambda: plain_denoising_head(logits, held, noise),
        lambda: denoising_head(logits, held, noise),
        read,
    )
    yield Contest(
        "soft_embedding",
        cells,
        lambda: plain_soft_embedding(logits, held, table),
        lambda: soft_embedding(logits, found.log_sum_exp, held, table),
        read + table.numel() * table.element_size(),
        2.0 * cells * vocabulary * hidden,
    )
    if sizes.free < 1:
        return
    bound = torch.full(shape[:1], BOUND, device=device)
    step = found.entropy, found.sampled, bound, noise, vocabulary, logits.domain
    yield Contest(
        "accept_and_renoise",
        cells,
        lambda: plain_accept_and_renoise(*step),
        lambda: accept_and_renoise(*step),
        held.numel() * 29 + sets,
    )
    if sizes.restricted:
        return
    x, residual = torch.randn(2, *shape, hidden, dtype=torch.bfloat16, device=device)
    weight = torch.randn(hidden, dtype=torch.bfloat16, device=device)
    yield Contest(
        "add_norm",
        held.numel(),
        lambda: plain_add_norm(x, weight, EPS, residual),
        lambda: add_norm(x, weight, EPS, residual),
        4.0 * x.numel() * x.element_size(),
    )


def draw_step(sizes: Sizes, device: torch.device) -> tuple[RawLogits, Tensor, CounterNoise]:
    """Bfloat16 logits of the free positions alone, of which half have a likely token."""
    generator = torch.Generator(device).manual_seed(sizes.canvases)
    shape = sizes.canvases, sizes.length
    count = max(1, round(sizes.free * shape[0] * shape[1]))
    cells = torch.randperm(shape[0] * shape[1], generator=generator, device=device)[:count]
    values = torch.empty(count, sizes.vocabulary, dtype=torch.bfloat16, device=device)
    values.normal_(0, 3, generator=generator)
    values[::2, sizes.vocabulary // 3] = 40
    domain = None
    if sizes.restricted:
        members = torch.rand(SETS, sizes.vocabulary, generator=generator, device=device) < 0.5
        members[:, 0] = True
        which = torch.randint(SETS, shape, generator=generator, device=device, dtype=torch.int32)
        domain = DomainSets(members, which)
    held = torch.randint(sizes.vocabulary, shape, generator=generator, device=device)
    temperature = torch.full(shape[:1], 0.6, device=device)
    seeds = torch.arange(shape[0], device=device)
    logits = RawLogits(values, cells.sort().values, shape[1], SOFTCAP, temperature, domain)
    return logits, held, CounterNoise(stream_keys(seeds, seeds), seeds + 1)


def measure(contest: Contest, sizes: Sizes) -> dict[str, object]:
    """A row of the table."""
    from triton.testing import do_bench

    error = difference(contest.plain(), contest.fused())
    plain = do_bench(contest.plain, return_mode="median")
    fused = do_bench(contest.fused, return_mode="median")
    return {
        "kernel": contest.kernel,
        "canvases": sizes.canvases,
        "rows": contest.rows,
        "domain": "yes" if sizes.restricted else "no",
        "plain": plain,
        "triton": fused,
        "x": plain / fused,
        "GB/s": contest.bytes / fused / 1e6,
        "TFLOPS": contest.flops / fused / 1e9,
        "error": error,
    }


def difference(expected: object, found: object) -> str:
    """How far apart two results are: the largest float, the number of other values."""
    pairs = list(zip(tensors_of(expected), tensors_of(found), strict=True))
    floats = [float((a - b).abs().max()) for a, b in pairs if a.is_floating_point()]
    others = sum(int((a != b).sum()) for a, b in pairs if not a.is_floating_point())
    return f"{max(floats, default=0.0):.1e}, {others}"


def tensors_of(result: Any) -> list[Tensor]:
    """The tensors of a kernel's result."""
    if isinstance(result, Tensor):
        return [result]
    if is_dataclass(result):
        return [getattr(result, field.name) for field in fields(HeadResult)]
    return list(result)


if __name__ == "__main__":
    main()
