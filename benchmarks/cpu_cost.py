"""What a forward pass on the CPU must compute, and how fast this machine could.

Shapes: B canvases, L positions, H heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np
import numpy.typing as npt
from numba import njit
from torch import Tensor

from benchmarks.text_cost import visited_weights
from engine.config import LayerType, ModelConfig
from engine.kernels.simd import LANES, add, fma, load, store

#: Turns that take milliseconds, and how often they are timed.
_TURNS, _REPEATS = 1_000_000, 8
#: Sums that do not wait for each other: more than any core has under way at once.
_CHAINS = 12


def float32_ceiling(threads: int) -> float:
    """Operations a second of float32, as fused products and sums that never wait for memory.

    The best of several runs, in which all threads are at work.
    """
    sums = [np.zeros((_CHAINS + 2) * LANES, np.float32) for _ in range(threads)]
    for own in sums:
        _multiply(own, 1)
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_REPEATS):
            start = perf_counter()
            list(pool.map(_multiply, sums, [_TURNS] * threads))
            seconds.append(perf_counter() - start)
    return 2 * LANES * _CHAINS * _TURNS * threads / min(seconds)


@njit(nogil=True)
def _multiply(own: npt.NDArray[np.float32], turns: int) -> None:
    """``sum += x * y``, in twelve vectors of sixteen lanes at a time."""
    x, y = load(own, 12 * LANES), load(own, 13 * LANES)
    a, b, c, d, e, f = (
        load(own, 0), load(own, 16), load(own, 32), load(own, 48), load(own, 64), load(own, 80),
    )  # fmt: skip
    g, h, i, j, k, m = (
        load(own, 96), load(own, 112), load(own, 128), load(own, 144), load(own, 160),
        load(own, 176),
    )  # fmt: skip
    for _ in range(turns):
        a, b, c = fma(x, y, a), fma(x, y, b), fma(x, y, c)
        d, e, f = fma(x, y, d), fma(x, y, e), fma(x, y, f)
        g, h, i = fma(x, y, g), fma(x, y, h), fma(x, y, i)
        j, k, m = fma(x, y, j), fma(x, y, k), fma(x, y, m)
    left = add(add(add(a, b), add(c, d)), add(e, f))
    right = add(add(add(g, h), add(i, j)), add(k, m))
    store(own, 0, add(left, right))


def forward_operations(
    config: ModelConfig, masks: Mapping[LayerType, Tensor], positions: int
) -> int:
    """Multiplications and additions of a decoder pass: products, and attention where it looks.

    Two for each weight and position, the table of embeddings twice: for the soft embedding and for
    the head. Not counted: norms, activations, exponentials.

    Args:
        config: of the model.
        masks: for each layer type what is added to scores, [B, H, L, L]: -inf where a query does
            not look. [1, H, L, L] where all canvases look alike.
        positions: B L.
    """
    products = 2 * positions * visited_weights(config)
    attention = 0
    for layer in config.layers:
        mask = masks[layer.layer_type]
        alike = positions // (mask.shape[0] * mask.shape[-1])
        attention += 4 * layer.head_dim * alike * int(mask.isfinite().sum())
    return products + attention
