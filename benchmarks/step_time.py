"""Milliseconds of a denoising step and tokens a second of a text model, beside transformers.

At the sizes of DiffusionGemma 26B-A4B with random weights: prompts of 512 tokens, canvases of 256
positions, all free, 16 steps a canvas whatever they lead to. In one run: what the device can do,
then this engine in each precision, then ``generate`` of transformers in bfloat16, as it comes and
with a static cache, which it compiles. A whole step is timed, from the pass to the next canvas.
Columns:

  how            steps are launched kernel by kernel (eager), or replayed (graphs)
  ms/step        median from the start of a step to the start of the next
  tok/s          of whole canvases, each with its commit
  GB, TFLOP      what a step must move and compute at the least; see benchmarks/text_cost.py
  memory ms, arithmetic ms    the times that these take at the ceilings measured in this run, in
                 bfloat16 whatever the precision; products in fp8 could take half as long
  of floor       the larger of the two over ms/step
  experts        of a layer that a step visits, on average
  peak GB        of device memory, weights included
  note           what failed, or was left out

Each side and precision runs in a process of its own on a GPU, so that what fails takes nothing with
it. Only one process loads weights or measures at a time; where there is memory for both,
transformers compiles beside our measurements, and takes some of the GPU now and then. Needs torch,
triton and, for its side, transformers. Writes benchmarks/results/step_time.json after every row.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from benchmarks.children import ROW, in_child
from benchmarks.common import print_table, write_results
from benchmarks.device_time import ceilings
from benchmarks.step_rows import COMPILED, OURS, THEIRS, Case, Row, Side, measure
from benchmarks.text_cost import Ceilings, step_cost
from benchmarks.text_model import PRECISIONS, SIZES
from benchmarks.turns import merged
from engine.config import ModelConfig

_STEPS = 16
#: Bytes of device memory that hold two models of full size in bfloat16, and what they compute.
_ROOM = 130e9


def main() -> None:
    arguments = read_arguments()
    case = case_of(arguments)
    if arguments.side:
        side = Side(arguments.side, arguments.precisions[0], tuple(arguments.batches))
        for row in measure(side, case):
            print(ROW + json.dumps(row), flush=True)
        return
    print(f"measuring what {case.device} can do", flush=True)
    limits = ceilings(torch.device(case.device))
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    rows: dict[tuple[str, str, int], Row] = {}
    for row in all_rows(arguments, case):
        key = row["side"], row["precision"], row["batch"]
        rows[key] = with_floors(row, SIZES[case.size], case.prompt, limits)
        print(" ".join(f"{name} {_short(x)}" for name, x in rows[key].items()), flush=True)
        write(list(rows.values()), limits, case)
    print_table("Denoising steps", list(rows.values()))
    print(
        f"ceilings: copy {limits.bandwidth / 1e9:.0f} GB/s, "
        f"bfloat16 product {limits.arithmetic / 1e12:.3g} TFLOP/s"
    )
    sys.exit(any(not row["ms/step"] for row in rows.values()))


def all_rows(arguments: argparse.Namespace, case: Case) -> Iterator[Row]:
    """Of all sides; a row comes twice where its speed is known later than its step."""
    if not arguments.processes:
        return (row for side in sides(arguments) for row in measure(side, case))
    end = time.monotonic() + 60 * arguments.minutes
    wanted = list(sides(arguments))
    lines = [wanted]
    if arguments.beside:
        ours = [side for side in wanted if side.name == OURS]
        lines = [ours, [side for side in wanted if side.name != OURS]]
    return merged([_one_by_one(line, case, end) for line in lines])


def _one_by_one(line: Sequence[Side], case: Case, end: float) -> Iterator[Row]:
    """From processes that follow one another."""
    for side in line:
        yield from in_child(side, case, end)


def case_of(arguments: argparse.Namespace) -> Case:
    """What all sides are measured on."""
    return Case(
        size=arguments.size,
        device=arguments.device,
        prompt=arguments.prompt,
        steps=arguments.steps,
        canvases=arguments.canvases,
        lock=arguments.lock,
    )


def read_arguments() -> argparse.Namespace:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all processes together")
    parser.add_argument(
        "--precisions", choices=PRECISIONS, nargs="+", default=["bf16", "int4", "fp8", "int8"]
    )
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 4, 32])
    parser.add_argument("--peer-batches", type=int, nargs="*", default=[1, 16])
    parser.add_argument(
        "--peers", choices=[COMPILED, THEIRS], nargs="*", default=[COMPILED, THEIRS]
    )
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--steps", type=int, default=_STEPS, help="of a canvas")
    parser.add_argument("--canvases", type=int, default=3, help="of the longest text")
    parser.add_argument("--side", choices=[OURS, THEIRS, COMPILED], help="only print its rows")
    parser.add_argument("--processes", action=argparse.BooleanOptionalAction, default=cuda)
    room = cuda and torch.cuda.get_device_properties(0).total_memory > _ROOM
    parser.add_argument(
        "--beside", action=argparse.BooleanOptionalAction, default=room, help="two at a time"
    )
    parser.add_argument("--lock", default="", help="a file; who holds it measures alone")
    arguments = parser.parse_args()
    if arguments.beside and not (arguments.lock or arguments.side):
        arguments.lock = str(Path(tempfile.mkdtemp()) / "lock")
    return arguments


def sides(arguments: argparse.Namespace) -> Iterator[Side]:
    """In the order in which they matter, for a run that is cut short."""
    for precision in arguments.precisions:
        yield Side(OURS, precision, tuple(arguments.batches))
    for name in arguments.peers:
        for batch in arguments.peer_batches:
            yield Side(name, "bf16", (batch,))


def with_floors(row: Row, config: ModelConfig, prompt: int, limits: Ceilings) -> Row:
    """A row with what its step must take at the least, and how near it came."""
    cost = step_cost(config, PRECISIONS[row["precision"]], row["batch"], prompt, row["experts"])
    floors = cost.memory_ms(limits), cost.arithmetic_ms(limits)
    note = row["note"]
    return {
        **{name: value for name, value in row.items() if name != "note"},
        "GB": cost.bytes / 1e9,
        "TFLOP": cost.operations / 1e12,
        "memory ms": floors[0],
        "arithmetic ms": floors[1],
        "of floor": max(floors) / row["ms/step"] if row["ms/step"] else None,
        "note": note,
    }


def write(rows: Sequence[Row], limits: Ceilings, case: Case) -> None:
    """All rows so far."""
    write_results(
        "step_time",
        rows,
        size=case.size,
        prompt=case.prompt,
        steps=case.steps,
        bandwidth=limits.bandwidth,
        arithmetic=limits.arithmetic,
    )


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
