"""Milliseconds of a denoising step on the CPU, beside transformers on the same weights.

Every bundled checkpoint, batches of problems (``engine_cases``) that are a few steps into being
solved, for 1 and all threads. Both sides get the same canvas and belief, and what transformers is
handed is made ready outside the clock: the relation that each head sees as additive float masks, an
empty cache, logits instead of a belief. All contestants take turns within one run. A turn is a
pause, in which the threads of the one before, which spin for a while, go to sleep; a step that is
not timed, because steps follow each other; and one that is. Figures are medians. Columns, in
milliseconds:

  transformers   decoder forward of DiffusionGemmaForBlockDiffusion (sdpa)
  reference      DiffusionGemma.decode, eager PyTorch
  all cells      CpuDecoder.decode of every cell: the same work as the two before
  fast           CpuDecoder.decode as the engine calls it, told which cells are free
  step           CpuStepper.step: fast, then sampling, acceptance and renoising; a whole
                 denoising step as the engine takes it
  all cells x, fast x, step x    how many times as fast as the forward of transformers alone
  GFLOP          multiplications and additions of all cells' products and attention
  floor          the least that any program could take: those operations alone,
                 every core at the rate of float32 that was measured beside the row
  floor x        how many times as fast as the forward of transformers that would be

Writes benchmarks/results/engine_cpu.json.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor
from transformers import DiffusionGemmaForBlockDiffusion, DynamicCache
from transformers.utils import logging

from benchmarks.common import print_table, write_results
from benchmarks.cpu_cost import float32_ceiling, forward_operations
from benchmarks.engine_cases import EngineCase, engine_cases
from engine.attention import AttentionPlan
from engine.batch_context import BatchContext
from engine.batch_state import BatchState, first_state
from engine.canvas import CanvasRequest
from engine.checkpoint import load_checkpoint, save_checkpoint
from engine.config import LayerType, ModelConfig
from engine.cores import usable_cores
from engine.kernels.cpu_decoder import CpuDecoder
from engine.kernels.cpu_stepper import CpuStepper
from engine.layout import Layout
from engine.model import DiffusionGemma
from solvers.bundled import bundled_checkpoints

WARM_STEPS = 4
PAUSE_S = 0.02
Reference = DiffusionGemmaForBlockDiffusion


@dataclass(frozen=True)
class Ours:
    """What this engine has to offer."""

    model: DiffusionGemma
    decoder: CpuDecoder
    stepper: CpuStepper

    def on(self, plan: AttentionPlan, state: BatchState) -> dict[str, Callable[[], object]]:
        """The contestants, on one batch."""
        canvas, belief = state.canvas, state.belief
        return {
            "reference": lambda: self.model.decode(canvas, belief, plan),
            "all cells": lambda: self.decoder.decode(canvas, belief, plan),
            "fast": lambda: self.decoder.decode(canvas, belief, plan, state.free),
            "step": lambda: self.stepper.step(state, plan, None),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, usable_cores()}))
    names = [case.checkpoint for case in engine_cases()]
    parser.add_argument("--checkpoints", nargs="+", choices=names, default=names)
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
    """One row for each number of threads, checkpoint and batch."""
    cases = [c for c in engine_cases() if c.checkpoint in arguments.checkpoints]
    rows = []
    for case in cases:
        model, reference = load(case, random=arguments.random)
        requests = [case.draw(batch) for batch in arguments.batches]
        for threads in arguments.threads:
            torch.set_num_threads(threads)  # after drawing, which sets OpenMP's own number
            ours = Ours(model, CpuDecoder(model, threads), CpuStepper(model, threads))
            for batch in requests:
                head = {"threads": threads, "checkpoint": case.checkpoint, "batch": len(batch)}
                row = compare_on(batch, ours, reference, arguments.seconds)
                rows.append(head | row | floor_beside(row, threads))
    return sorted(rows, key=lambda row: row["threads"])


def compare_on(
    requests: Sequence[CanvasRequest], ours: Ours, reference: Reference, seconds: float
) -> dict[str, float]:
    """What all contestants take for one batch."""
    model = ours.model
    plan = BatchContext.of(model, Layout.of(requests[0]), requests).plan
    state = draw_state(ours.stepper, plan, requests, model.config)
    masks: dict[LayerType, Tensor] = {
        kind: additive_mask(model.config.head_relations(kind), requests)
        for kind in model.config.layer_types
    }
    theirs = theirs_on(reference, model, masks, state)
    contestants = ours.on(plan, state) | {"transformers": theirs}
    error = float((theirs() - model.decode(state.canvas, state.belief, plan)).abs().max())
    operations = forward_operations(model.config, masks, state.canvas.numel())
    row = row_of(take_turns(contestants, seconds))
    return row | {"error": error, "GFLOP": 1e-9 * operations}


def load(case: EngineCase, *, random: bool) -> tuple[DiffusionGemma, Reference]:
    """The same weights on both sides."""
    if not random:
        folder = bundled_checkpoints()[case.checkpoint]
        return load_checkpoint(folder).model, Reference.from_pretrained(folder).eval()
    model = DiffusionGemma(case.config).eval()
    model.init_weights(torch.Generator().manual_seed(0))
    with TemporaryDirectory() as temporary:
        save_checkpoint(model, Path(temporary))
        return model, Reference.from_pretrained(temporary).eval()


def draw_state(
    stepper: CpuStepper,
    plan: AttentionPlan,
    requests: Sequence[CanvasRequest],
    config: ModelConfig,
) -> BatchState:
    """Canvases after a few steps of the real loop."""
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
        state = state.after(stepper.step(state, plan, None))
    return state


def theirs_on(
    reference: Reference,
    model: DiffusionGemma,
    masks: Mapping[LayerType, Tensor],
    state: BatchState,
) -> Callable[[], Tensor]:
    """The decoder forward of transformers, with everything it reads prepared."""
    batch, length = state.canvas.shape
    cache = DynamicCache(config=reference.config.text_config)
    for layer, sizes in zip(cache.layers, model.config.layers, strict=True):
        nothing = torch.empty(batch, sizes.num_key_value_heads, 0, sizes.head_dim)
        layer.update(nothing, nothing)
    inputs = {
        "decoder_input_ids": state.canvas,
        "past_key_values": cache,
        "self_conditioning_logits": state.belief.log(),
        "decoder_attention_mask": dict(masks),
        "decoder_position_ids": torch.zeros(1, length, dtype=torch.int64),
    }
    return lambda: reference(**inputs).logits


def additive_mask(names: Sequence[str], requests: Sequence[CanvasRequest]) -> Tensor:
    """What each head sees, as the floats that are added to its scores: [B, H, L, L].

    Relations that all canvases share are one mask, [1, H, L, L].
    """
    relations = [r.relations for r in requests if r.relations is not None]
    if all(r is relations[0] for r in relations):
        relations = relations[:1]
    everything = np.ones((relations[0].length,) * 2, np.bool_)
    seen = np.stack([[everything if n == "all" else r.mask(n) for n in names] for r in relations])
    return torch.zeros(seen.shape).masked_fill(~torch.from_numpy(seen), -torch.inf)


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


def floor_beside(row: Mapping[str, float], threads: int) -> dict[str, float]:
    """The last columns, from a rate that is measured now: clocks change within a run."""
    floor = 1e12 * row["GFLOP"] / float32_ceiling(threads)
    return {"floor": floor, "floor x": row["transformers"] / floor}


def row_of(times: Mapping[str, list[float]]) -> dict[str, float]:
    """Medians in milliseconds, and ratios of them."""
    ms = {name: 1e3 * median(runs) for name, runs in times.items()}
    row: dict[str, float] = {"transformers": ms["transformers"]}
    row |= {name: ms[name] for name in ("reference", "all cells", "fast", "step")}
    row |= {f"{name} x": ms["transformers"] / ms[name] for name in ("all cells", "fast", "step")}
    return row | {"runs": len(times["transformers"])}


if __name__ == "__main__":
    main()
