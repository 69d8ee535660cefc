"""Matrix products with frozen weights on the CPU: packed once, read in order ever after.

A weight [K, N] is cut into panels of 32 columns, each stored row by row (Goto and van de Geijn
2008, "Anatomy of high-performance matrix multiplication"). On tiles that fit the cache that is as
fast as MKL, needs no packing at run time and can end in an activation.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from engine.kernels.cpu_blocks import ROWS, gated_block, plain_block
from engine.kernels.simd import LANES

Floats = npt.NDArray[np.float32]

PANEL = 2 * LANES


def padded(size: int, step: int = PANEL) -> int:
    """``size`` rounded up to a multiple of ``step``."""
    return -(-size // step) * step


def pack(weight: Floats) -> Floats:
    """Lay a weight [K, N] out in panels: flat, N padded with zeros to a multiple of 32."""
    depth, width = weight.shape
    wide = np.zeros((depth, padded(width)), np.float32)
    wide[:, :width] = weight
    return np.ascontiguousarray(wide.reshape(depth, -1, PANEL).transpose(1, 0, 2)).ravel()


def pack_gated(gate: Floats, up: Floats) -> Floats:
    """Lay two weights [K, I] out for ``gated``: each panel holds 16 columns of either."""
    depth, width = gate.shape
    both = np.zeros((depth, padded(width, LANES) // LANES, 2, LANES), np.float32)
    for side, weight in enumerate((gate, up)):
        wide = np.zeros((depth, both.shape[1] * LANES), np.float32)
        wide[:, :width] = weight
        both[:, :, side] = wide.reshape(depth, -1, LANES)
    return pack(both.reshape(depth, -1))


@njit(cache=True, nogil=True)
def matmul(a, a_at, a_row, weight, w_at, depth, panels, c, c_at, c_row, rows):
    """``c[rows, 32 panels] = a[rows, depth] @ weight``.

    ``x_at`` is where a matrix begins in its flat array, ``x_row`` the distance of its rows;
    ``weight`` comes from ``pack``.
    """
    blocks = -(-rows // ROWS)
    for panel in range(panels):
        first, panel_at = 0, w_at + panel * depth * PANEL
        for block in range(blocks):
            count = -(-(rows - first) // (blocks - block))
            plain_block(
                a, a_at + first * a_row, a_row, weight, panel_at, depth,
                c, c_at + first * c_row + panel * PANEL, c_row, count,
            )  # fmt: skip
            first += count


@njit(cache=True, nogil=True)
def gated(a, a_at, a_row, weight, w_at, depth, panels, c, c_at, c_row, rows):
    """``c[rows, 16 panels] = gelu(a @ gate) * (a @ up)``; ``weight`` comes from ``pack_gated``."""
    blocks = -(-rows // ROWS)
    for panel in range(panels):
        first, panel_at = 0, w_at + panel * depth * PANEL
        for block in range(blocks):
            count = -(-(rows - first) // (blocks - block))
            gated_block(
                a, a_at + first * a_row, a_row, weight, panel_at, depth,
                c, c_at + first * c_row + panel * LANES, c_row, count,
            )  # fmt: skip
            first += count
