"""The decoder pass of a small model on the CPU, several times as fast as ``DiffusionGemma.decode``.

A thread takes a few canvases at a time through the network, so that weights and activations stay
in its cache; between matrix products nothing is read or written without need. Every canvas is
computed alone: its logits are the same bits whatever else is in the batch, on any number of
threads. Rows are laid out with the free cells first. Clamped cells enter by table, and leave
after the last layer's keys, because nobody reads their logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numba import njit
from torch import Tensor

from engine.attention import AttentionPlan, HeadGroup
from engine.kernels.cpu_attention import attend
from engine.kernels.cpu_gemm import Floats, gated, matmul
from engine.kernels.cpu_layout import Ints, Layout, Records, aligned, plan_buffers
from engine.kernels.cpu_rows import (
    add_attention,
    add_embedding,
    add_feedforward,
    look_up,
    normalise,
    scale_by_norm,
    write_logits,
)
from engine.kernels.cpu_weights import PackedWeights, pack_weights
from engine.model import DiffusionGemma


class Decoder(Protocol):
    """A decoder pass without a prompt."""

    def decode(
        self,
        canvas: Tensor,
        belief: Tensor | None,
        plan: AttentionPlan,
        free: Tensor | None = None,
    ) -> Tensor:
        """See ``DiffusionGemma.decode``; where ``free`` is False, logits may be anything finite.

        Args:
            canvas: int64 [B, L].
            belief: float [B, L, V], or None for a zero signal.
            plan: how each layer type attends.
            free: bool [B, L]; where False the belief is certain of the canvas's token.

        Returns:
            Softcapped logits, float32 [B, L, V].
        """


@njit(cache=True, nogil=True)
def _arrange(free, order, row_of):  # type: ignore[no-untyped-def]
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
def _condition(work, at, model, weights, tokens, belief, order, rows):  # type: ignore[no-untyped-def]
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
def _project(work, at, model, layer, weights, length, rows):  # type: ignore[no-untyped-def]
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
def _enter(work, at, model, layer, weights, tokens, order, known, certain):  # type: ignore[no-untyped-def]
    """The first layer's projection: of ``known`` rows from their input, of the rest by table."""
    rows, stride = len(order), layer.projected_stride
    normalise(work, at.residual, at.normed, model.stride, known, model.size, model.eps, at.sums)
    _project(work, at, model, layer, weights, known, known)
    table, projected = model.fresh_at, model.fresh_projected_at
    if certain:
        table, projected = model.clamped_at, model.clamped_projected_at
    look_up(work, at.residual, model.stride, known, rows, tokens, order, weights, table)
    look_up(work, at.projected, stride, known, rows, tokens, order, weights, projected)


@njit(cache=True, nogil=True)
def _finish(work, at, model, layer, weights, rows):  # type: ignore[no-untyped-def]
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
def _head(work, at, model, weights, order, rows, logits):  # type: ignore[no-untyped-def]
    matmul(
        work, at.normed, model.stride, weights, model.head_at, model.size,
        model.vocabulary_stride // 32, work, at.measured, model.vocabulary_stride, rows,
    )  # fmt: skip
    write_logits(work, at.measured, model.vocabulary_stride, rows, order, model.cap, logits)


@njit(cache=True, nogil=True)
def _prepare(scratch, t, free, cells):  # type: ignore[no-untyped-def]
    """Arrange the rows of a tile's canvas ``t``. Returns how many are free."""
    _, _, order, row_of, index = scratch
    rows = _arrange(free, order[t], row_of[t])
    for i in range(len(cells)):
        index[t, i] = row_of[t, cells[i]]
    return rows


@njit(cache=True, nogil=True)
def _first_layer(scratch, t, network, tokens, belief, rows):  # type: ignore[no-untyped-def]
    """From tokens and belief, if there is one, to the first layer's projection."""
    work, at, order, _, _ = scratch
    model, layers, weights = network
    known = 0
    if len(belief):
        known = rows
        _condition(work, at[t], model[0], weights, tokens, belief, order[t], rows)
    certain = len(belief) > 0
    _enter(work, at[t], model[0], layers[0], weights, tokens, order[t], known, certain)


@njit(cache=True, nogil=True)
def _decode_tile(first, last, scratch, network, plan, inputs, logits):  # type: ignore[no-untyped-def]
    """Canvases ``first`` to ``last``, layer by layer, so that they share each layer's weights.

    An empty belief stands for none, an empty mask of free cells for all free.
    """
    work, at, order, _, index = scratch
    model, layers, weights = network
    groups, cells = plan
    canvas, belief, free = inputs
    length, needed = canvas.shape[1], np.zeros(last - first, np.int64)
    for t in range(last - first):
        needed[t] = _prepare(scratch, t, free[first + t], cells)
    for i in range(len(layers)):
        for t in range(last - first):
            rows = needed[t] if i == len(layers) - 1 else length
            if i == 0:
                b = first + t
                _first_layer(scratch, t, network, canvas[b], belief[b], needed[t])
            else:
                _project(work, at[t], model[0], layers[i], weights, length, rows)
            attend(work, at[t], layers[i], weights, model[0].eps, groups, index[t], length)
            _finish(work, at[t], model[0], layers[i], weights, rows)
    for t in range(last - first):
        _head(work, at[t], model[0], weights, order[t], needed[t], logits[first + t])


@njit(cache=True, nogil=True)
def _fill_tables(work, at, model, layer, weights, tokens, certain):  # type: ignore[no-untyped-def]
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
def _keep(work, start, count, weights, target):  # type: ignore[no-untyped-def]
    weights[target : target + count] = work[start : start + count]


#: Plans whose layout is kept; a plan is made anew whenever the members of a batch change.
_REMEMBERED = 8
#: Canvases that a thread takes through the layers together: as many as stay in its cache.
_TILE = 8
#: A thread's scratch: activations; and for each canvas of a tile where they are, which cell a row
#: is, which row a cell is, and the rows of the plan's classes.
_Scratch = tuple[Floats, Records, Ints, Ints, Ints]


def _scratch(weights: PackedWeights, length: int, indices: int) -> _Scratch:
    at, size = plan_buffers(weights.model[0], weights.layers, length, _TILE)
    order, row_of = np.zeros((2, _TILE, length), np.int64)
    return aligned(size), at, order, row_of, np.zeros((_TILE, indices), np.int64)


@dataclass(frozen=True, eq=False)
class _Laid:
    """A plan made ready for the kernels: its layers know their groups, every thread has room."""

    layout: Layout
    layers: Records
    scratch: list[_Scratch]


class CpuDecoder:
    """Decodes canvases with a frozen copy of a model's weights. For one caller at a time."""

    def __init__(self, model: DiffusionGemma, threads: int | None = None) -> None:
        """Pack the weights and compile.

        Args:
            model: its weights are copied.
            threads: canvases computed at once; by default torch's number of threads.

        Raises:
            ValueError: the model is not one that this path computes; see ``supports_model``.
        """
        if not supports_model(model):
            raise ValueError(
                "the fast CPU path computes float32 models on the CPU with one expert and "
                "positions 'none'; use the model's own decode"
            )
        self.threads = threads or torch.get_num_threads()
        self._weights = pack_weights(model)
        self._pool = ThreadPoolExecutor(max(1, self.threads - 1), "inkfill-decoder")
        self._plans: list[tuple[AttentionPlan, _Laid]] = []
        self._scratches: dict[tuple[int, int], list[_Scratch]] = {}
        self._fill_tables(model.config.vocab_size)
        self._compile(model)

    @staticmethod
    def supports(model: DiffusionGemma, plan: AttentionPlan) -> bool:
        """Whether this path computes ``model`` under ``plan``: heads in partitions, or full."""
        return supports_model(model) and all(
            group.mask is None for groups in plan.values() for group in groups
        )

    def decode(
        self,
        canvas: Tensor,
        belief: Tensor | None,
        plan: AttentionPlan,
        free: Tensor | None = None,
    ) -> Tensor:
        """See ``Decoder.decode``; logits are 0 where ``free`` is False.

        Raises:
            ValueError: the plan has masks, or is for another length.
        """
        batch, length = canvas.shape
        laid = self._lay_out(plan, length)
        logits = torch.zeros(batch, length, int(self._weights.model["vocabulary"][0]))
        inputs = (
            canvas.contiguous().numpy(),
            np.zeros((batch, 0, 0), np.float32) if belief is None else _floats(belief),
            np.zeros((batch, 0), np.bool_) if free is None else free.contiguous().numpy(),
        )
        self._run(batch, laid, inputs, logits.numpy())
        return logits

    def _lay_out(self, plan: AttentionPlan, length: int) -> _Laid:
        """The plan as the kernels read it; plans outlive many steps, so a few are remembered."""
        for known, laid in self._plans:
            if known is plan and laid.layout.length == length:
                return laid
        layout = Layout.of(plan, length)
        laid = _Laid(layout, self._weights.for_plan(layout), self._room(layout))
        self._plans = [(plan, laid), *self._plans[: _REMEMBERED - 1]]
        return laid

    def _room(self, layout: Layout) -> list[_Scratch]:
        """Scratch for each thread; layouts of one size share it."""
        size = layout.length, len(layout.index)
        if size not in self._scratches:
            self._scratches[size] = [_scratch(self._weights, *size) for _ in range(self.threads)]
        return self._scratches[size]

    def _run(self, batch: int, laid: _Laid, inputs: Sequence[Any], logits: Floats) -> None:
        """Share the batch out among the threads, a tile at a time."""
        share = min(_TILE, -(-batch // self.threads))
        starts = iter(range(0, batch, share))
        network = self._weights.model, laid.layers, self._weights.flat
        plan = laid.layout.groups, laid.layout.index

        def work(scratch: _Scratch) -> None:
            for first in starts:
                last = min(first + share, batch)
                _decode_tile(first, last, scratch, network, plan, inputs, logits)

        helpers = min(self.threads, batch) - 1
        waiting = [self._pool.submit(work, laid.scratch[1 + i]) for i in range(helpers)]
        work(laid.scratch[0])
        for helper in waiting:
            helper.result()

    def _fill_tables(self, vocabulary: int) -> None:
        packed = self._weights
        work, at, *_ = _scratch(packed, vocabulary, 0)
        tokens, certain = np.arange(vocabulary), np.eye(vocabulary, dtype=np.float32)
        _fill_tables(work, at[0], packed.model[0], packed.layers[0], packed.flat, tokens, certain)

    def _compile(self, model: DiffusionGemma) -> None:
        """Decode the smallest canvas, so that no caller's first step waits for the compiler."""
        everything = (HeadGroup(slice(0, model.config.num_attention_heads)),)
        canvas = torch.zeros(1, 1, dtype=torch.int64)
        self.decode(canvas, None, dict.fromkeys(model.config.layer_types, everything))
        self._plans.clear()


def supports_model(model: DiffusionGemma) -> bool:
    """Whether ``CpuDecoder`` computes this model: float32 on the CPU, one expert, no positions."""
    config = model.config
    return (
        model.device.type == "cpu"
        and model.dtype == torch.float32
        and config.num_experts == 1
        and config.positions == "none"
    )


def _floats(tensor: Tensor) -> Floats:
    return tensor.detach().float().contiguous().numpy()
