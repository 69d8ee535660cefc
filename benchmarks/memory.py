"""Memory of a text model on a GPU, by precision: a prompt of 2,048 tokens and one canvas.

At the sizes of DiffusionGemma 26B-A4B with random weights. Each precision runs in a process of its
own. Where there is no GPU, bytes are computed from shapes instead, and every row says so. Columns,
in gigabytes of 10^9 bytes:

  weights     held between steps
  loading     the most that was held while weights were drawn and quantised
  cache       keys and values of one sequence, pages and all
  peak        the most that tensors took while the prompt was encoded and the canvas denoised;
              computed: weights, cache and what a server sets aside for steps and encoding
  reserved    what PyTorch held at most in that time, fragments included
  by          measured or computed

Writes benchmarks/results/memory.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import torch

from benchmarks.common import print_table, write_results
from benchmarks.text_cost import weight_bytes, workspace_bytes
from benchmarks.text_model import PRECISIONS, SIZES, cache_for, random_network, random_weights
from benchmarks.text_speed import generate
from engine.config import ModelConfig
from engine.text.steppers import text_stepper

_GB = 1e9
_ROW = "row "
Row = dict[str, Any]


def main() -> None:
    arguments = read_arguments()
    config = SIZES[arguments.size]
    if arguments.only:
        row = measured(config, arguments.only, arguments.prompt, arguments.steps)
        print(_ROW + json.dumps(row), flush=True)
        return
    rows: list[Row] = []
    for precision in arguments.precisions:
        if torch.cuda.is_available():
            rows.append(in_child(precision, arguments))
        else:
            rows.append(computed(config, precision, arguments.prompt))
        write_results("memory", rows, size=arguments.size, prompt=arguments.prompt)
    print_table(f"Memory, GB: a prompt of {arguments.prompt:,} tokens and a canvas", rows)
    sys.exit(any(row["note"] for row in rows))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument(
        "--precisions", choices=PRECISIONS, nargs="+", default=["int4", "bf16", "fp8", "int8"]
    )
    parser.add_argument("--prompt", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--only", choices=PRECISIONS, help="measure this one, in this process")
    parser.add_argument("--seconds", type=float, default=120.0, help="for each precision")
    return parser.parse_args()


def computed(config: ModelConfig, name: str, prompt: int) -> Row:
    """From shapes."""
    precision = PRECISIONS[name]
    sizes = cache_for(config, 1, prompt + config.canvas_length)
    weights, rest = weight_bytes(config, precision), workspace_bytes(config, precision, sizes)
    return row_of(
        name, "computed", weights=weights, cache=rest["cache"], peak=weights + sum(rest.values())
    )


@torch.inference_mode()
def measured(config: ModelConfig, name: str, prompt: int, steps: int) -> Row:
    """On this GPU: what is held, and the most that was."""
    device = torch.device("cuda")
    weights = random_weights(config, PRECISIONS[name], device)
    held, loading = torch.cuda.memory_allocated(), torch.cuda.max_memory_allocated()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    network = random_network(weights, config, cache_for(config, 1, prompt + config.canvas_length))
    cache = torch.cuda.memory_allocated() - held
    generate(network, text_stepper(network), batch=1, prompt=prompt, steps=steps, canvases=1)
    torch.cuda.synchronize()
    return row_of(
        name,
        "measured",
        weights=held,
        loading=loading,
        cache=cache,
        peak=torch.cuda.max_memory_allocated(),
        reserved=torch.cuda.max_memory_reserved(),
    )


def in_child(name: str, arguments: argparse.Namespace) -> Row:
    """Measured in a process of its own; if it fails, a row that says how."""
    command = [sys.executable, "-m", "benchmarks.memory", "--only", name]
    for option in ("size", "prompt", "steps"):
        command += [f"--{option}", str(getattr(arguments, option))]
    try:
        said = subprocess.run(
            command, capture_output=True, text=True, timeout=arguments.seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return row_of(name, "measured", note=f"took more than {arguments.seconds:g} s")
    for line in said.stdout.splitlines():
        if line.startswith(_ROW):
            found: Row = json.loads(line.removeprefix(_ROW))
            return found
    print(said.stdout, said.stderr, sep="\n")
    lines = said.stderr.strip().splitlines() or ["ended without a word"]
    return row_of(name, "measured", note=lines[-1][:200])


def row_of(name: str, by: str, *, note: str = "", **figures: int) -> Row:
    """A row, from bytes."""
    columns = ("weights", "loading", "cache", "peak", "reserved")
    shown = {x: figures[x] / _GB if x in figures else None for x in columns}
    return {"precision": name, **shown, "by": by, "note": note}


if __name__ == "__main__":
    main()
