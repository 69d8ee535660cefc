"""Milliseconds of a denoising step on the CPU, beside transformers on the same weights.

The bundled Sudoku checkpoint, batches of puzzles that are a few steps into being solved, for 1 and
all threads. Both sides get the same canvas and belief, and what transformers is handed is made
ready outside the clock: additive float masks, an empty cache, logits instead of a belief. All
contestants take turns within one run. A turn is a pause, in which the threads of the one before,
which spin for a while, go to sleep; a step that is not timed, because steps follow each other; and
one that is. Figures are medians. Columns, in milliseconds:

  transformers   decoder forward of DiffusionGemmaForBlockDiffusion (sdpa)
  reference      DiffusionGemma.decode, eager PyTorch
  all cells      CpuDecoder.decode of every cell: the same work as the two before
  fast           CpuDecoder.decode as the engine calls it, told which cells are free
  step           CpuStepper.step: fast, then sampling, acceptance and renoising; a whole
                 denoising step as the engine takes it
  all cells x, fast x, step x    how many times as fast as the forward of transformers alone

Writes benchmarks/results/engine_cpu.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from transformers import DiffusionGemmaForBlockDiffusion, DynamicCache
from transformers.utils import logging

from benchmarks.common import print_table, write_results
from engine.attention import AttentionPlan, plan_attention
from engine.batch_state import BatchState, first_state
from engine.canvas import CanvasRequest
from engine.checkpoint import load_checkpoint
from engine.config import ModelConfig
from engine.cores import usable_cores
from engine.kernels.cpu_decoder import CpuDecoder
from engine.kernels.cpu_stepper import CpuStepper
from engine.model import DiffusionGemma
from solvers.bundled import bundled_checkpoints
from solvers.sudoku.codec import encode
from solvers.sudoku.generator import generate
from solvers.sudoku.geometry import Geometry, geometry
from solvers.sudoku.problem import SudokuProblem
from solvers.sudoku.train import sudoku_config

WARM_STEPS = 4
PAUSE_S = 0.02
Reference = DiffusionGemmaForBlockDiffusion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, usable_cores()}))
    parser.add_argument("--seconds", type=float, default=6.0, help="a row")
    parser.add_argument("--random", action="store_true", help="random weights, no checkpoint")
    arguments = parser.parse_args()
    logging.set_verbosity_error()  # the load report of a missing vision tower
    logging.disable_progress_bar()
    with torch.inference_mode():
        rows = compare(arguments)
    threads = max(arguments.threads)
    print_table("A denoising step on the CPU, milliseconds", rows, threads=threads)
    print(write_results("engine_cpu", rows, threads=threads, random_weights=arguments.random))


def compare(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """One row for each number of threads and batch."""
    shape = geometry(3, 3)
    model, reference = load(random=arguments.random)
    plan = plan_attention(model.config, shape.relations, model.device)
    requests = {batch: draw_requests(shape, batch) for batch in arguments.batches}
    rows = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)  # after the generator, which sets OpenMP's own number
        stepper, decoder = CpuStepper(model, threads), CpuDecoder(model, threads)
        for batch in arguments.batches:
            state = draw_state(stepper, plan, requests[batch], model.config)
            theirs = theirs_on(reference, model, shape, state)
            contestants = ours_on(model, decoder, stepper, plan, state) | {"transformers": theirs}
            error = float((theirs() - model.decode(state.canvas, state.belief, plan)).abs().max())
            times = take_turns(contestants, arguments.seconds)
            rows.append({"threads": threads, "batch": batch} | row_of(times) | {"error": error})
    return rows


def load(*, random: bool) -> tuple[DiffusionGemma, Reference]:
    """The same weights on both sides."""
    if not random:
        folder: Path = bundled_checkpoints()["sudoku"]
        return load_checkpoint(folder).model, Reference.from_pretrained(folder).eval()
    from tempfile import TemporaryDirectory

    from engine.checkpoint import save_checkpoint

    model = DiffusionGemma(sudoku_config()).eval()
    model.init_weights(torch.Generator().manual_seed(0))
    with TemporaryDirectory() as folder:
        save_checkpoint(model, Path(folder))
        return model, Reference.from_pretrained(folder).eval()


def draw_requests(shape: Geometry, count: int) -> list[CanvasRequest]:
    """The canvases of puzzles of 22 to 45 clues."""
    puzzles = generate(shape, count, seed=count, clues=(22, 45)).puzzles.tolist()
    return [replace(encode(SudokuProblem(shape, tuple(p))), seed=i) for i, p in enumerate(puzzles)]


def draw_state(
    stepper: CpuStepper,
    plan: AttentionPlan,
    requests: Sequence[CanvasRequest],
    config: ModelConfig,
) -> BatchState:
    """Puzzles after a few steps of the real loop."""
    domains = [torch.from_numpy(r.full_domain(config.vocab_size)) for r in requests]
    state = first_state(
        requests,
        requests[0].length,
        torch.stack(domains),
        config.first_belief,
        config.vocab_size,
        torch.device("cpu"),
    )
    for _ in range(WARM_STEPS):
        state = state.after(stepper.step(state, plan, None, None))
    return state


def ours_on(
    model: DiffusionGemma,
    decoder: CpuDecoder,
    stepper: CpuStepper,
    plan: AttentionPlan,
    state: BatchState,
) -> dict[str, Callable[[], object]]:
    """What this engine has to offer."""
    canvas, belief = state.canvas, state.belief
    return {
        "reference": lambda: model.decode(canvas, belief, plan),
        "all cells": lambda: decoder.decode(canvas, belief, plan),
        "fast": lambda: decoder.decode(canvas, belief, plan, state.free),
        "step": lambda: stepper.step(state, plan, None, None),
    }


def theirs_on(
    reference: Reference, model: DiffusionGemma, shape: Geometry, state: BatchState
) -> Callable[[], Tensor]:
    """The decoder forward of transformers, with everything it reads prepared."""
    batch, length = state.canvas.shape
    masks = {
        kind: additive_mask(model.config.head_relations(kind), shape)
        for kind in ("sliding_attention", "full_attention")
    }
    cache = DynamicCache(config=reference.config.text_config)
    for layer, sizes in zip(cache.layers, model.config.layers, strict=True):
        nothing = torch.empty(batch, sizes.num_key_value_heads, 0, sizes.head_dim)
        layer.update(nothing, nothing)
    inputs = {
        "decoder_input_ids": state.canvas,
        "past_key_values": cache,
        "self_conditioning_logits": state.belief.log(),
        "decoder_attention_mask": masks,
        "decoder_position_ids": torch.zeros(1, length, dtype=torch.int64),
    }
    return lambda: reference(**inputs).logits


def additive_mask(names: tuple[str, ...], shape: Geometry) -> Tensor:
    """What each head sees, as the floats that are added to its scores: [1, H, L, L]."""
    everything = torch.ones(shape.cells, shape.cells, dtype=torch.bool)
    seen = [everything if n == "all" else torch.from_numpy(shape.relations.mask(n)) for n in names]
    return torch.zeros(len(names), shape.cells, shape.cells).masked_fill(
        ~torch.stack(seen), -torch.inf
    )[None]


def take_turns(
    contestants: Mapping[str, Callable[[], object]], seconds: float
) -> dict[str, list[float]]:
    """Let each have its turn until the time is spent; seconds of every timed run."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["transformers"]) < 5:
        for name, run in contestants.items():
            time.sleep(PAUSE_S)
            run()
            started = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - started)
    return times


def row_of(times: Mapping[str, list[float]]) -> dict[str, object]:
    """Medians in milliseconds, and ratios of them."""
    ms = {name: 1e3 * median(runs) for name, runs in times.items()}
    row: dict[str, object] = {"transformers": ms["transformers"]}
    row |= {name: ms[name] for name in ("reference", "all cells", "fast", "step")}
    row |= {f"{name} x": ms["transformers"] / ms[name] for name in ("all cells", "fast", "step")}
    return row | {"runs": len(times["transformers"])}


if __name__ == "__main__":
    main()
