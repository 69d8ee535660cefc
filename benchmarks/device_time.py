"""Time on a device, and what it can do at the most."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from benchmarks.text_cost import Ceilings

_WARM_UP, _REPEATS = 3, 15


class Marks:
    """Points in time of a device's work, in order: events on a GPU, else the clock."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._points: list[Any] = []

    def mark(self) -> None:
        """Here."""
        if self._device.type != "cuda":
            self._points.append(time.perf_counter())
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self._points.append(event)

    def intervals(self) -> list[float]:
        """Milliseconds from each point to the next; waits for the device."""
        synchronise(self._device)
        pairs = list(zip(self._points, self._points[1:], strict=False))
        if self._device.type == "cuda":
            return [float(a.elapsed_time(b)) for a, b in pairs]
        return [1e3 * (b - a) for a, b in pairs]


def synchronise(device: torch.device) -> None:
    """Wait for the device's work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(device: torch.device, work: Callable[[], object]) -> float:
    """How long some work takes, by a synchronised clock."""
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


def rate(more: int, few: float, many: float) -> float:
    """So much more a second, from the seconds that less and all of it took.

    Raises:
        RuntimeError: more took no longer than less, as on a machine that others use.
    """
    if many <= few:
        raise RuntimeError(f"more work took {many:.3g} s, less {few:.3g} s: too noisy to tell")
    return more / (many - few)


def ceilings(device: torch.device) -> Ceilings:
    """What a device can do at the most."""
    return Ceilings(_bandwidth(device), _arithmetic(device))


def _bandwidth(device: torch.device) -> float:
    """Of a large copy, bytes a second, read and written."""
    size = 2**32 if device.type == "cuda" else 2**24
    source = torch.empty(size, dtype=torch.uint8, device=device).random_()
    target = torch.empty_like(source)
    return 2 * size / _typical_ms(device, lambda: target.copy_(source)) * 1e3


def _arithmetic(device: torch.device) -> float:
    """Of a large product of random bfloat16 matrices, operations a second."""
    size = 8192 if device.type == "cuda" else 256
    a, b = torch.randn(2, size, size, dtype=torch.bfloat16, device=device)
    return 2.0 * size**3 / _typical_ms(device, lambda: a @ b) * 1e3


def _typical_ms(device: torch.device, work: Callable[[], object]) -> float:
    for _ in range(_WARM_UP):
        work()
    marks = Marks(device)
    for _ in range(_REPEATS):
        marks.mark()
        work()
    marks.mark()
    return median(marks.intervals())
