"""Milliseconds of each Triton kernel on a GPU, beside the PyTorch function that it equals.

At the sizes of DiffusionGemma 26B-A4B, bfloat16. Each side is run alone on a flushed cache; what
takes less than some 50 us is bound by its launches from Python, which a recorded step does without.
Figures are medians. Columns:

  case         what is special: restricted positions, a kind of layer, a precision
  rows         tokens; after a pass, free positions
  plain, triton    milliseconds
  x            how many times as fast
  GB/s, TFLOPS     of the kernel, counting what must be moved and multiplied at the least
  error        largest difference of a float, and how many of the tokens and flags differ; fp8
               rounds rows as well, which PyTorch's product in bfloat16 does not

Needs a CUDA device, torch and triton alone. Writes benchmarks/results/gpu_kernels.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from benchmarks.common import print_table, write_results
from benchmarks.gpu_contest import Contest, Sizes, measure
from benchmarks.gpu_contests_attention import attention_contests
from benchmarks.gpu_contests_norms import norm_contests
from benchmarks.gpu_contests_products import product_contests
from benchmarks.gpu_contests_step import Batch, step_contests

#: What a pass is made of, for a number of tokens.
FAMILIES = {
    "norms": norm_contests,
    "attention": attention_contests,
    "products": product_contests,
}


@dataclass(frozen=True)
class Plan:
    """What is measured: families of kernels, numbers of tokens in a pass, batches after it."""

    families: Sequence[str]
    tokens: Sequence[int]
    canvases: Sequence[int]
    free: Sequence[float]


def main() -> None:
    arguments = read_arguments()
    if not torch.cuda.is_available():
        print("needs a CUDA device")
        return
    plan = Plan(arguments.families, arguments.tokens, arguments.canvases, arguments.free)
    sizes = Sizes(vocabulary=arguments.vocabulary)
    rows = []
    with torch.inference_mode():
        for contest in contests(plan, sizes, torch.device("cuda")):
            rows.append(measure(contest, median))
            torch.cuda.empty_cache()
    print_table("Triton kernels, milliseconds", rows)
    print(write_results("gpu_kernels", rows, vocabulary=arguments.vocabulary))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    families = ["step", *FAMILIES]
    parser.add_argument("--families", nargs="+", choices=families, default=families)
    parser.add_argument("--tokens", type=int, nargs="+", default=[256, 4096], help="of a pass")
    parser.add_argument("--canvases", type=int, nargs="+", default=[1, 4], help="of a step")
    parser.add_argument("--free", type=float, nargs="+", default=[1.0, 0.25], help="shares")
    parser.add_argument("--vocabulary", type=int, default=262_144)
    return parser.parse_args()


def contests(plan: Plan, sizes: Sizes, device: torch.device) -> Iterator[Contest]:
    """All of them, each built when it is asked for."""
    if "step" in plan.families:
        for canvases in plan.canvases:
            for free in plan.free:
                for restricted in (False, True):
                    yield from step_contests(sizes, Batch(canvases, free, restricted), device)
    for name, family in FAMILIES.items():
        if name in plan.families:
            for tokens in plan.tokens:
                yield from family(sizes, tokens, device)


def median(run: Callable[[], object]) -> float:
    """Milliseconds on the GPU."""
    from triton.testing import do_bench

    return float(do_bench(run, return_mode="median"))


if __name__ == "__main__":
    main()
