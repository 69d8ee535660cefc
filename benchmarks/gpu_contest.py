"""A Triton kernel beside the PyTorch function that it equals, and how the two are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from torch import Tensor

from engine.kernels.row_rounding import RoundedRows

#: Runs a function often enough, and says how many milliseconds it takes.
Timer = Callable[[Callable[[], object]], float]


@dataclass(frozen=True)
class Heads:
    """Heads of keys and values of a kind of layer, their size, and the window, None for none."""

    kv_heads: int
    size: int
    window: int | None


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Those of DiffusionGemma 26B-A4B, unless told otherwise.

    Attributes:
        length: of a canvas.
        vocabulary: V.
        hidden: D.
        heads: of queries.
        sliding: heads of the layers with a window.
        full: heads of the others.
        dense: I of the dense MLP.
        expert: I of an expert.
        experts: E.
        top_k: experts a token.
        past: positions that are cached before a canvas or a chunk.
        chunk: tokens of a prompt that are encoded at once.
    """

    length: int = 256
    vocabulary: int = 262_144
    hidden: int = 2816
    heads: int = 16
    sliding: Heads = Heads(8, 256, 1024)
    full: Heads = Heads(2, 512, None)
    dense: int = 2112
    expert: int = 704
    experts: int = 128
    top_k: int = 8
    past: int = 2048
    chunk: int = 512


@dataclass(frozen=True)
class Contest:
    """The two sides of a row, and what either must do at the least.

    Attributes:
        kernel: its name.
        case: what is special.
        rows: tokens, or free positions.
        plain: PyTorch's side.
        fused: the kernel's.
        bytes: that must be moved.
        flops: of products.
    """

    kernel: str
    case: str
    rows: int
    plain: Callable[[], object]
    fused: Callable[[], object]
    bytes: float
    flops: float = 0.0


def measure(contest: Contest, timer: Timer) -> dict[str, object]:
    """A row of the table."""
    error = difference(contest.plain(), contest.fused())
    plain, fused = timer(contest.plain), timer(contest.fused)
    return {
        "kernel": contest.kernel,
        "case": contest.case,
        "rows": contest.rows,
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
    """The tensors of a kernel's result, rounded rows as what they stand for."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, RoundedRows):
        return [result.exact()]
    if is_dataclass(result):
        result = [getattr(result, field.name) for field in fields(result)]
    return [tensor for part in result for tensor in tensors_of(part)]
