"""The network as the CPU computes it: a tile of canvases, layer by layer, in compiled code.

Rows are laid out with the free cells first. Clamped cells enter by table, and leave after the last
layer's keys, because nobody reads their logits. ``scratch`` is a thread's; ``at`` says where in
``work`` a canvas keeps what (``BUFFERS``), ``model`` and ``layers`` are records of sizes and places
in ``weights``; see ``cpu_layout``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from engine.kernels.cpu_attention import attend, normalise_units
from engine.kernels.cpu_gemm import gated, matmul
from engine.kernels.cpu_rows import (
    add_attention,
    add_embedding,
    add_feedforward,
    look_up,
    normalise,
    scale_by_norm,
    write_logits,
)


@njit(cache=True, nogil=True)
def _arrange(free, order, row_of):
    """Free cells first, each kind in order: which cell a row is, and back. Returns how many.

    An empty ``free`` stands for all free.
    """
    count = 0
    for cell in range(len(order)):
        if len(free) == 0 or free[cell]:
            order[count] = cell
            count += 1
    last = count
    for cell in range(len(free)):
        if not free[cell]:
            order[last] = cell
            last += 1
    for row in range(len(order)):
        row_of[order[row]] = row
    return count


@njit(cache=True, nogil=True)
def _condition(work, at, model, weights, tokens, belief, order, rows):
    """The input of the first rows, from their tokens and belief."""
    stride = model.vocabulary_stride
    for r in range(rows):
        for v in range(model.vocabulary):
            work[at.belief + r * stride + v] = belief[order[r], v]
    matmul(
        work, at.belief, stride, weights, model.measure_at, model.vocabulary,
        model.measure_width // 32, work, at.measured, model.measure_width, rows,
    )  # fmt: skip
    scale_by_norm(
        work, at.belief, stride, at.measured, model.measure_width, rows, model.size, model.eps,
        at.sums,
    )  # fmt: skip
    gated(
        work, at.belief, stride, weights, model.gate_at, model.vocabulary,
        model.inner_width // 16, work, at.inner, model.inner_width, rows,
    )  # fmt: skip
    matmul(
        work, at.inner, model.inner_width, weights, model.down_at, model.inner_width,
        model.stride // 32, work, at.residual, model.stride, rows,
    )  # fmt: skip
    add_embedding(work, at.residual, model.stride, rows, tokens, order, weights, model.embedding_at)
    normalise(work, at.residual, at.residual, model.stride, rows, model.size, model.eps, at.sums)


@njit(cache=True, nogil=True)
def project(work, at, model, layer, weights, length, rows):
    """Queries of the first ``rows`` rows, keys and values of all."""
    matmul(
        work, at.normed, model.stride, weights, layer.query_at, model.size,
        layer.keys_from // 32, work, at.projected, layer.projected_stride, rows,
    )  # fmt: skip
    matmul(
        work, at.normed, model.stride, weights, layer.key_at, model.size,
        (layer.projected_stride - layer.keys_from) // 32,
        work, at.projected + layer.keys_from, layer.projected_stride, length,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _enter(work, at, model, layer, weights, tokens, order, known, certain):
    """The first layer's projection: of ``known`` rows from their input, of the rest by table."""
    rows, stride = len(order), layer.projected_stride
    normalise(work, at.residual, at.normed, model.stride, known, model.size, model.eps, at.sums)
    project(work, at, model, layer, weights, known, known)
    table, projected = model.fresh_at, model.fresh_projected_at
    if certain:
        table, projected = model.clamped_at, model.clamped_projected_at
    look_up(work, at.residual, model.stride, known, rows, tokens, order, weights, table)
    look_up(work, at.projected, stride, known, rows, tokens, order, weights, projected)


@njit(cache=True, nogil=True)
def finish_layer(work, at, model, layer, weights, rows):
    """What follows attention in a layer."""
    matmul(
        work, at.heads, layer.heads_stride, weights, layer.output_at, layer.heads_stride,
        model.stride // 32, work, at.dense, model.stride, rows,
    )  # fmt: skip
    add_attention(
        work, at.residual, at.dense, at.normed, model.stride, rows, model.size, model.eps,
        weights, layer.attention_norm_at, at.sums,
    )  # fmt: skip
    inner = layer.dense_width + layer.expert_width
    gated(
        work, at.normed, model.stride, weights, layer.gate_at, model.size, inner // 16,
        work, at.inner, inner, rows,
    )  # fmt: skip
    matmul(
        work, at.inner, inner, weights, layer.dense_down_at, layer.dense_width,
        model.stride // 32, work, at.dense, model.stride, rows,
    )  # fmt: skip
    matmul(
        work, at.inner + layer.dense_width, inner, weights, layer.expert_down_at,
        layer.expert_width, model.stride // 32, work, at.expert, model.stride, rows,
    )  # fmt: skip
    add_feedforward(
        work, at.residual, at.dense, at.expert, at.normed, model.stride, rows, model.size,
        model.eps, weights, layer.feedforward_norms_at, at.sums,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def head(work, at, model, weights, order, rows, logits):
    """Logits of the cells that are the first rows."""
    matmul(
        work, at.normed, model.stride, weights, model.head_at, model.size,
        model.vocabulary_stride // 32, work, at.measured, model.vocabulary_stride, rows,
    )  # fmt: skip
    write_logits(work, at.measured, model.vocabulary_stride, rows, order, model.cap, logits)


@njit(cache=True, nogil=True)
def _prepare(scratch, t, free, cells):
    """Arrange the rows of a tile's canvas ``t``. Returns how many are free."""
    _, _, order, row_of, index = scratch
    rows = _arrange(free, order[t], row_of[t])
    for i in range(len(cells)):
        index[t, i] = row_of[t, cells[i]]
    return rows


@njit(cache=True, nogil=True)
def first_layer(work, at, network, tokens, belief, order, free):
    """From tokens and belief, if there is one, to the first layer's projection.

    Row r is the cell ``order[r]``; the first ``free`` rows are free.
    """
    model, layers, weights = network
    known = 0
    if len(belief):
        known = free
        _condition(work, at, model[0], weights, tokens, belief, order, known)
    _enter(work, at, model[0], layers[0], weights, tokens, order, known, len(belief) > 0)


@njit(cache=True, nogil=True)
def decode_tile(first, last, scratch, network, plan, inputs, logits):
    """Canvases ``first`` to ``last``, layer by layer, so that they share each layer's weights.

    An empty belief stands for none, an empty mask of free cells for all free.
    """
    work, at, order, _, index = scratch
    model, layers, weights = network
    groups, cells, masks = plan
    canvas, belief, free = inputs
    length, needed = canvas.shape[1], np.zeros(last - first, np.int64)
    for t in range(last - first):
        needed[t] = _prepare(scratch, t, free[first + t], cells)
    for i in range(len(layers)):
        for t in range(last - first):
            rows = needed[t] if i == len(layers) - 1 else length
            if i == 0:
                b = first + t
                first_layer(work, at[t], network, canvas[b], belief[b], order[t], needed[t])
            else:
                project(work, at[t], model[0], layers[i], weights, length, rows)
            mask = masks[min(first + t, len(masks) - 1)]
            normalise_units(work, at[t], layers[i], model[0].eps, length)
            attend(
                work, at[t], layers[i], weights, model[0].eps, groups, index[t], mask, 0, 1
            )  # fmt: skip
            finish_layer(work, at[t], model[0], layers[i], weights, rows)
    for t in range(last - first):
        head(work, at[t], model[0], weights, order[t], needed[t], logits[first + t])


@njit(cache=True, nogil=True)
def fill_tables(work, at, model, layer, weights, tokens, certain):
    """What the first layer makes of every token, with a belief that is certain and without one."""
    count = len(tokens)
    _condition(work, at, model, weights, tokens, certain, tokens, count)
    _keep(work, at.residual, count * model.stride, weights, model.clamped_at)
    _enter(work, at, model, layer, weights, tokens, tokens, count, True)
    _keep(work, at.projected, count * layer.projected_stride, weights, model.clamped_projected_at)
    look_up(work, at.residual, model.stride, 0, count, tokens, tokens, weights, model.fresh_at)
    _enter(work, at, model, layer, weights, tokens, tokens, count, False)
    _keep(work, at.projected, count * layer.projected_stride, weights, model.fresh_projected_at)


@njit(cache=True, nogil=True)
def _keep(work, start, count, weights, target):
    weights[target : target + count] = work[start : start + count]
