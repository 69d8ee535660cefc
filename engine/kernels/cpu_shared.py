"""One canvas decoded by several threads, for batches with fewer canvases than cores.

Rows are dealt to parts, each with its share of the free cells first. Between two layers a part goes
by itself: what follows attention, then the next projection. Attention reads all rows, and is dealt
by sixteen queries of a head. So a pass of n layers is 2 n + 1 stages (``cpu_stages``), each done by
whoever is there. No sum depends on the parts: logits are the bits of ``cpu_network.decode_tile``.

``rows_at`` says where in ``work`` a part has what is its own, layer by layer, ``heads_at`` where it
reads what all have written; see ``cpu_layout.plan_shared_buffers``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from engine.kernels.cpu_attention import attend, normalise_units
from engine.kernels.cpu_gemm import Floats, padded
from engine.kernels.cpu_layout import Ints, Records, aligned, plan_shared_buffers
from engine.kernels.cpu_network import finish_layer, first_layer, head, project
from engine.kernels.cpu_stages import await_all, finish, take
from engine.kernels.cpu_weights import PackedWeights
from engine.kernels.simd import LANES


@dataclass(frozen=True, eq=False)
class SharedRoom:
    """Room for one canvas and its parts.

    Attributes:
        scratch: activations, and the records that say where parts have what.
        places: see ``arrange_parts``.
    """

    scratch: tuple[Floats, Records, Records]
    places: tuple[Ints, Ints, Ints, Ints, Ints]

    @classmethod
    def of(cls, weights: PackedWeights, length: int, indices: int, parts: int) -> SharedRoom:
        """For canvases of ``length`` cells, under plans of so many ``indices``."""
        rows = padded(-(-length // parts), LANES)
        rows_at, heads_at, size = plan_shared_buffers(weights.model[0], weights.layers, rows, parts)
        counts, needed = np.zeros((2, parts), np.int64)
        places = (
            np.zeros((parts, rows), np.int64),
            counts,
            needed,
            np.zeros(length, np.int64),
            np.zeros(indices, np.int64),
        )
        return cls((aligned(size), rows_at, heads_at), places)


@njit(cache=True, nogil=True)
def arrange_parts(free, cells, places):
    """Deal the cells to parts in turn, the free ones first.

    Args:
        free: bool [L]; empty for all free.
        cells: those of a plan's classes, as ``HeadLayout.index`` has them.
        places: to be written. Which cell a row is, int64 [parts, rows]; how many rows a part has,
            and how many of them are free, int64 [parts]; which row a cell is, int64 [L]; the rows
            of ``cells``.
    """
    order, counts, needed, row_of, index = places
    parts, room = order.shape
    counts[:], needed[:] = 0, 0
    part = 0
    for taking_free in (True, False):
        for cell in range(len(row_of)):
            is_free = len(free) == 0 or free[cell]
            if is_free == taking_free:
                order[part, counts[part]] = cell
                row_of[cell] = part * room + counts[part]
                counts[part] += 1
                needed[part] += is_free
                part = (part + 1) % parts
    for i in range(len(cells)):
        index[i] = row_of[cells[i]]


@njit(cache=True, nogil=True)
def help_decode(member, stages, scratch, places, network, plan, inputs, logits):
    """Do parts of a canvas's pass until it is done, beginning with ``member``'s own.

    Args:
        member: number of the caller, from 0.
        stages: of ``cpu_stages``, 2 n + 1.
        scratch: work, and where in it parts have what.
        places: see ``arrange_parts``.
        network: see ``cpu_network``.
        plan: groups and masks of the canvas.
        inputs: tokens [L] and belief [L, V] of the canvas, or [0, 0] for none.
        logits: [L, V], those of free cells to be written.
    """
    layers, parts = network[1], len(places[0])
    for stage in range(2 * len(layers) + 1):
        for turn in range(parts):
            part = (member + turn) % parts
            if take(stages, stage, part):
                if stage % 2:
                    _attend_part(stage // 2, part, scratch, places, network, plan)
                else:
                    _advance_part(stage // 2, part, scratch, places, network, inputs, logits)
                finish(stages, stage)
        await_all(stages, stage)


@njit(cache=True, nogil=True)
def _attend_part(i, part, scratch, places, network, plan):
    work, _, heads_at = scratch
    model, layers, weights = network
    groups, masks = plan
    attend(
        work, heads_at[part], layers[i], weights, model[0].eps, groups, places[4], masks,
        part, len(heads_at),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _advance_part(i, part, scratch, places, network, inputs, logits):
    """From the attention of layer i - 1, or the inputs, to the projection of layer i or logits."""
    work, rows_at, _ = scratch
    model, layers, weights = network
    tokens, belief = inputs
    rows, free = places[1][part], places[2][part]
    order, last = places[0][part, :rows], len(layers) - 1
    if i > 0:
        left = free if i > last else rows
        finish_layer(work, rows_at[i - 1, part], model[0], layers[i - 1], weights, left)
    if i > last:
        head(work, rows_at[last, part], model[0], weights, order, free, logits)
        return
    at = rows_at[i, part]
    if i == 0:
        first_layer(work, at, network, tokens, belief, order, free)
    else:
        asking = free if i == last else rows
        project(work, at, model[0], layers[i], weights, rows, asking)
    normalise_units(work, at, layers[i], model[0].eps, rows)
