"""Where the time of a denoising step goes on a GPU, kernel by kernel.

At the sizes of DiffusionGemma 26B-A4B with random weights, of a recorded step after prompts of 512
tokens. Launches of a kernel with the same grid are one row, which tells products of different sizes
apart. Kernels of two streams run beside each other, so that their times may add up to more than the
step's. Columns:

  canvases    of the step
  kernel, grid
  launches    of a step
  us          of one, on average
  ms          of all
  share       of the time from the first kernel's start to the last one's end

Needs a CUDA device, torch and triton. Writes benchmarks/results/step_trace.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import print_table, write_results
from benchmarks.text_model import PRECISIONS, SIZES, cache_for, random_network, random_weights
from benchmarks.text_speed import Steps
from engine.text.steppers import text_stepper

_WARM_UP = 3
Row = dict[str, Any]


@dataclass(frozen=True)
class Launch:
    """One kernel's run.

    Attributes:
        kernel: its name.
        grid: as it was launched.
        start: microseconds.
        duration: the same.
    """

    kernel: str
    grid: str
    start: float
    duration: float


def main() -> None:
    arguments = read_arguments()
    if not torch.cuda.is_available():
        print("needs a CUDA device")
        return
    rows: list[Row] = []
    config = SIZES["full"]
    with torch.inference_mode():
        weights = random_weights(config, PRECISIONS[arguments.precision], torch.device("cuda"))
        for batch in arguments.batches:
            sizes = cache_for(config, batch, arguments.prompt + config.canvas_length)
            network = random_network(weights, config, sizes)
            stepper = text_stepper(network)
            with Steps(network, batch, arguments.prompt) as steps:
                for _ in range(_WARM_UP):
                    steps.take(stepper)
                launches = traced(partial(steps.take, stepper))
            rows += table(batch, launches)
    print_table(f"A step in {arguments.precision}", rows)
    print(write_results("step_trace", rows, precision=arguments.precision))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--prompt", type=int, default=512)
    return parser.parse_args()


def traced(work: Callable[[], object]) -> list[Launch]:
    """What some work launched, in order."""
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        work()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(path))
        return launches_of(json.loads(path.read_text(encoding="utf-8")))


def launches_of(trace: dict[str, Any]) -> list[Launch]:
    """The kernels of a trace in Chrome's format."""
    found = [
        Launch(x["name"], str(x["args"].get("grid", "")), float(x["ts"]), float(x["dur"]))
        for x in trace["traceEvents"]
        if x.get("cat") == "kernel"
    ]
    return sorted(found, key=lambda x: x.start)


def table(batch: int, launches: list[Launch]) -> Iterator[Row]:
    """A row for each kernel and grid, what takes most first."""
    begin, end = launches[0].start, max(x.start + x.duration for x in launches)
    groups: dict[tuple[str, str], list[float]] = {}
    for launch in launches:
        groups.setdefault((launch.kernel, launch.grid), []).append(launch.duration)
    for (kernel, grid), times in sorted(groups.items(), key=lambda x: -sum(x[1])):
        yield {
            "canvases": batch,
            "kernel": kernel[:40],
            "grid": grid,
            "launches": len(times),
            "us": sum(times) / len(times),
            "ms": sum(times) / 1e3,
            "share": sum(times) / (end - begin),
        }


if __name__ == "__main__":
    main()
