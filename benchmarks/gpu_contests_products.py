"""Products with weights in every precision, dense and routed.

The plain side has its weights in bfloat16, dequantised beforehand.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.gpu_contest import Contest, Sizes
from engine.kernels.expert_parts import expert_parts, plain_expert_parts
from engine.kernels.weight_product import plain_weight_product, weight_product
from engine.precision.precision import Precision
from engine.precision.quantize import quantize
from engine.precision.weight import Weight

PRECISIONS = Precision.BFLOAT16, Precision.FP8, Precision.INT8, Precision.INT4


def product_contests(sizes: Sizes, tokens: int, device: torch.device) -> Iterator[Contest]:
    """For so many tokens."""
    rows = (sizes.heads + 2 * sizes.sliding.kv_heads) * sizes.sliding.size
    shapes = {
        "qkv": (rows, sizes.hidden),
        "gate_up": (2 * sizes.dense, sizes.hidden),
        "down": (sizes.hidden, sizes.dense),
    }
    for precision in PRECISIONS:
        for name, shape in shapes.items():
            yield _product(f"{name}, {precision.value}", shape, tokens, precision, device)
        yield _experts(sizes, tokens, precision, device)


def _product(
    case: str, shape: tuple[int, int], tokens: int, precision: Precision, device: torch.device
) -> Contest:
    outputs, inputs = shape
    weight = _weight(shape, precision, device)
    x, floats = _random(tokens, inputs, device=device), _floats(weight)
    moved = tokens * (inputs + outputs) * x.element_size()
    return Contest(
        "weight_product",
        case,
        tokens,
        lambda: plain_weight_product(x, floats),
        lambda: weight_product(x, weight),
        float(weight.nbytes + moved),
        2.0 * tokens * outputs * inputs,
    )


def _experts(sizes: Sizes, tokens: int, precision: Precision, device: torch.device) -> Contest:
    """Experts chosen at random; weights of those that nobody visits need not be read."""
    experts, hidden, size = sizes.experts, sizes.hidden, sizes.expert
    gate_up = _weight((experts, 2 * size, hidden), precision, device)
    down = _weight((experts, hidden, size), precision, device)
    x, floats = _random(tokens, hidden, device=device), (_floats(gate_up), _floats(down))
    likely = torch.rand(tokens, experts, device=device).topk(sizes.top_k, dim=-1)
    weights, chosen = likely.values / likely.values.sum(-1, keepdim=True), likely.indices
    visited = len(torch.unique(chosen)) / experts
    moved = (1 + sizes.top_k) * x.nbytes + weights.nbytes + chosen.nbytes
    return Contest(
        "expert_parts",
        precision.value,
        tokens,
        lambda: plain_expert_parts(x, weights, chosen, *floats),
        lambda: expert_parts(x, weights, chosen, gate_up, down),
        visited * (gate_up.nbytes + down.nbytes) + moved,
        6.0 * tokens * sizes.top_k * hidden * size,
    )


def _weight(shape: tuple[int, ...], precision: Precision, device: torch.device) -> Weight:
    return quantize(_random(*shape, device=device) * shape[-1] ** -0.5, precision).arranged()


def _floats(weight: Weight) -> Weight:
    return Weight(weight.dequantized().bfloat16())


def _random(*shape: int, device: torch.device) -> Tensor:
    return torch.randn(shape, dtype=torch.bfloat16, device=device)
