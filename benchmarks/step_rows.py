"""What is measured of one side in one precision: a row a batch.

A batch that fails is said to have failed, and the others go on.
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from benchmarks.device_time import synchronise
from benchmarks.text_model import PRECISIONS, SIZES, cache_for, random_network, random_weights
from benchmarks.text_speed import experts_visited, step_times, tokens_per_second
from benchmarks.turns import turn
from engine.text.step import EagerTextStepper
from engine.text.steppers import text_stepper
from engine.text.weights import TextWeights

OURS, THEIRS, COMPILED = "inkfill", "transformers", "transformers, compiled"
Row = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """What one process measures."""

    name: str
    precision: str
    batches: tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """What all sides are measured on.

    Attributes:
        size: one of ``benchmarks.text_model.SIZES``.
        device: where.
        prompt: tokens before the first canvas.
        steps: of a canvas.
        canvases: of the longest text.
        lock: a file; processes that name it measure one after another.
    """

    size: str
    device: str
    prompt: int
    steps: int
    canvases: int
    lock: str = ""


def measure(side: Side, case: Case) -> Iterator[Row]:
    """A side's rows; a batch's comes again when its tokens a second are known too."""
    if side.name == OURS:
        # To get ready takes the GPU too, and a few seconds; others compile for minutes meanwhile.
        with turn(case.lock), torch.inference_mode():
            yield from _measure_ours(side, case)
    else:
        yield from (row for batch in side.batches for row in _measure_theirs(side, batch, case))


def failure(side: Side, batch: int, why: str) -> Row:
    """A batch that was not measured."""
    return _row(side, batch, note=why)


def _measure_ours(side: Side, case: Case) -> Iterator[Row]:
    """Weights once, then batch after batch."""
    device = torch.device(case.device)
    try:
        weights = random_weights(SIZES[case.size], PRECISIONS[side.precision], device)
    except Exception as error:  # noqa: BLE001  # recorded; the run goes on
        yield from (_failed(side, batch, {}, error) for batch in side.batches)
        return
    for batch in side.batches:
        found: Row = {}
        try:
            for found in _ours(side, batch, case, weights):
                yield found
        except Exception as error:  # noqa: BLE001  # recorded; the next batch goes on
            yield _failed(side, batch, found, error)
        _release(device)


def _ours(side: Side, batch: int, case: Case, weights: TextWeights) -> Iterator[Row]:
    config = SIZES[case.size]
    positions = case.prompt + case.canvases * config.canvas_length
    network = random_network(weights, config, cache_for(config, batch, positions))
    experts = experts_visited(network, batch, case.prompt)
    stepper = text_stepper(network)
    step = median(step_times(network, stepper, batch, case.prompt, case.steps))
    how = "eager" if isinstance(stepper, EagerTextStepper) else "graphs"
    found = {"step": step, "experts": experts, "peak": _peak(weights.device), "how": how}
    yield _row(side, batch, **found)
    speed = tokens_per_second(network, stepper, batch, case.prompt, case.steps, case.canvases)
    yield _row(side, batch, speed=speed, **found)


def _measure_theirs(side: Side, batch: int, case: Case) -> Iterator[Row]:
    found: Row = {}
    try:
        for found in _theirs(side, batch, case):
            yield found
    except Exception as error:  # noqa: BLE001  # recorded; the other sides go on
        yield _failed(side, batch, found, error)
    _release(torch.device(case.device))


def _theirs(side: Side, batch: int, case: Case) -> Iterator[Row]:
    from benchmarks.text_peer import Peer

    device, compiled = torch.device(case.device), side.name == COMPILED
    sizes = {"batch": batch, "prompt": case.prompt, "canvases": case.canvases}
    with turn(case.lock):
        peer = Peer(SIZES[case.size], device, **sizes)
        peer.prepare(static=compiled)
    peer.warm_up(compiled=compiled)
    with turn(case.lock):
        step = median(peer.step_times(case.steps, compiled=compiled))
    how = "graphs" if compiled and device.type == "cuda" else "eager"
    found = {"step": step, "peak": _peak(device), "how": how}
    yield _row(side, batch, **found)
    peer.warm_up_commits(compiled=compiled)
    with turn(case.lock):
        speed = peer.tokens_per_second(case.steps, compiled=compiled)
    yield _row(side, batch, speed=speed, **found)


def _row(
    side: Side,
    batch: int,
    *,
    step: float | None = None,
    speed: float | None = None,
    experts: float | None = None,
    peak: float | None = None,
    how: str = "",
    note: str = "",
) -> Row:
    return {
        "side": side.name,
        "precision": side.precision,
        "batch": batch,
        "how": how,
        "ms/step": step,
        "tok/s": speed,
        "experts": experts,
        "peak GB": peak,
        "note": note,
    }


def _failed(side: Side, batch: int, found: Row, error: Exception) -> Row:
    """What was measured before an error, if anything was; the error goes to the log."""
    traceback.print_exception(error)
    return {**(found or failure(side, batch, "")), "note": _told(error)}


def _told(error: Exception) -> str:
    """An error in a line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:200]


def _peak(device: torch.device) -> float | None:
    """Gigabytes."""
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None


def _release(device: torch.device) -> None:
    """Give memory back; ends the process where the device takes no more work from it."""
    gc.collect()
    if device.type != "cuda":
        return
    try:
        synchronise(device)
    except RuntimeError as error:
        sys.exit(_told(error))
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
