"""What a forward pass on the CPU must compute, and how fast this machine could.

Shapes: B canvases, L positions, H heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from time import perf_counter

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from torch import Tensor

from benchmarks.text_cost import visited_weights
from engine.config import LayerType, ModelConfig
from engine.kernels.simd import LANES, VECTOR, intrinsic, multiply_add, pointer, read, write

#: Turns that take milliseconds, and how often they are timed.
_TURNS, _REPEATS = 1_000_000, 8
#: Sums that do not wait for each other: more than any core has under way at once, for AVX-512,
#: where each is a register; and few enough for AVX2, where each is two of sixteen.
_CHAINS = 12, 5
_I64 = ir.IntType(64)


def float32_ceiling(threads: int) -> float:
    """Operations a second of float32, as fused products and sums that never wait for memory.

    The best of several runs, in which all threads are at work.
    """
    with ThreadPoolExecutor(threads) as pool:
        return max(_rate(chains, threads, pool) for chains in _CHAINS)


def _rate(chains: int, threads: int, pool: ThreadPoolExecutor) -> float:
    multiply = multiplier(chains)
    sums = [np.zeros((chains + 2) * LANES, np.float32) for _ in range(threads)]
    for own in sums:
        multiply(own, 1)
    seconds = []
    for _ in range(_REPEATS):
        start = perf_counter()
        list(pool.map(multiply, sums, [_TURNS] * threads))
        seconds.append(perf_counter() - start)
    return 2 * LANES * chains * _TURNS * threads / min(seconds)


@cache
def multiplier(chains: int) -> Callable[[npt.NDArray[np.float32], int], None]:
    """Compiled ``sum += x * y``, again and again, for so many sums of sixteen lanes.

    It takes the sums, ``x`` and ``y``, float32 [(chains + 2) * 16], of which it changes the sums,
    and how many times to add, at least once.
    """

    @intrinsic
    def multiply_add_again(context, own, turns):  # noqa: ARG001  # numba asks for all
        def codegen(context, builder, signature, arguments):
            array, turns = arguments
            places = [
                pointer(context, builder, signature.args[0], array, _I64(LANES * i))
                for i in range(chains + 2)
            ]
            *before, x, y = (read(builder, place) for place in places)
            entry = builder.block
            loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
            builder.branch(loop)
            builder.position_at_end(loop)
            turn = builder.phi(_I64)
            sums = [builder.phi(VECTOR) for _ in range(chains)]
            grown = [multiply_add(builder, x, y, one) for one in sums]
            following = builder.add(turn, _I64(1))
            first = [_I64(0), *before]
            for phi, start, end in zip([turn, *sums], first, [following, *grown], strict=True):
                phi.add_incoming(start, entry)
                phi.add_incoming(end, loop)
            builder.cbranch(builder.icmp_signed("<", following, turns), loop, after)
            builder.position_at_end(after)
            for one, place in zip(grown, places, strict=False):
                write(builder, one, place)
            return context.get_dummy_value()

        return types.void(own, types.intp), codegen

    @njit(nogil=True)
    def multiply(own, turns):
        multiply_add_again(own, turns)

    return multiply


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
