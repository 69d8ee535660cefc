"""The decoder pass of a small model on the CPU, several times as fast as ``DiffusionGemma.decode``.

A thread takes a few canvases at a time through the network, so that weights and activations stay
in its cache; between matrix products nothing is read or written without need. Where there are more
threads than canvases, several take one through together. Every canvas is computed alone: its logits
are the same bits whatever else is in the batch, on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.attention import AttentionPlan, HeadGroup
from engine.kernels.cpu_gemm import Floats
from engine.kernels.cpu_layout import HeadLayout, Ints, Records, aligned, plan_buffers
from engine.kernels.cpu_network import decode_tile, fill_tables
from engine.kernels.cpu_shared import SharedRoom, arrange_parts, help_decode
from engine.kernels.cpu_stages import new_stages
from engine.kernels.cpu_team import CpuTeam, Work
from engine.kernels.cpu_weights import PackedWeights, pack_weights
from engine.model import DiffusionGemma

#: Plans whose layout and scratch are kept: one for each batch that takes turns, and a few before.
_REMEMBERED = 8
#: Canvases that a thread takes through the layers together: as many as stay in its cache.
_TILE = 8
#: Rows of a canvas that are worth a thread of their own: to wake it takes as long as some of them.
_LEAST_ROWS = 24
#: A thread's scratch: activations; and for each canvas of a tile where they are, which cell a row
#: is, which row a cell is, and the rows of the plan's classes.
_Scratch = tuple[Floats, Records, Ints, Ints, Ints]
#: Called in a decoding thread with the first and last of the canvases whose logits are ready.
OnDecoded = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class DecoderInputs:
    """What a decoder pass reads and writes, as the kernels do.

    Attributes:
        canvas: int64 [B, L].
        belief: float32 [B, L, V]; [B, 0, 0] for a zero signal.
        free: bool [B, L], where False the belief is certain of the canvas's token and no logits
            are written; [B, 0] when all are free.
        logits: float32 [B, L, V], to be written.
    """

    canvas: Ints
    belief: Floats
    free: npt.NDArray[np.bool_]
    logits: Floats

    @classmethod
    def of(
        cls, canvas: Tensor, belief: Tensor | None, free: Tensor | None, logits: Floats
    ) -> DecoderInputs:
        """From tensors on the CPU, which share their memory where they can."""
        batch = len(canvas)
        return cls(
            canvas.contiguous().numpy(),
            np.zeros((batch, 0, 0), np.float32)
            if belief is None
            else belief.detach().float().contiguous().numpy(),
            np.zeros((batch, 0), np.bool_) if free is None else free.contiguous().numpy(),
            logits,
        )


@dataclass(frozen=True, eq=False)
class _Laid:
    """A plan made ready for the kernels: its layers know their groups, every thread has room."""

    plan: AttentionPlan
    layout: HeadLayout
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
        self._team = CpuTeam(self.threads)
        self._plans: list[_Laid] = []
        self._shared_rooms: dict[tuple[int, int, int], list[SharedRoom]] = {}
        self._fill_tables(model.config.vocab_size)
        self._compile(model)

    def decode(
        self,
        canvas: Tensor,
        belief: Tensor | None,
        plan: AttentionPlan,
        free: Tensor | None = None,
    ) -> Tensor:
        """See ``DiffusionGemma.decode``.

        Args:
            canvas: int64 [B, L].
            belief: float [B, L, V], or None for a zero signal.
            plan: how each layer type attends.
            free: bool [B, L]; where False the belief is certain of the canvas's token.

        Returns:
            Softcapped logits, float32 [B, L, V], 0 where ``free`` is False.

        Raises:
            ValueError: the plan is for another length or number of canvases, or has a prompt.
        """
        logits = np.zeros((*canvas.shape, self.vocabulary), np.float32)
        self.run(plan, DecoderInputs.of(canvas, belief, free, logits))
        return torch.from_numpy(logits)

    @property
    def vocabulary(self) -> int:
        """V."""
        return int(self._weights.model["vocabulary"][0])

    def run(
        self, plan: AttentionPlan, inputs: DecoderInputs, then: OnDecoded = lambda *_: None
    ) -> None:
        """Write the logits of free cells; hand each tile on as soon as it is decoded.

        Args:
            plan: how each layer type attends.
            inputs: of canvases of one length.
            then: what the decoding threads do next with a tile, while it is in their cache.

        Raises:
            ValueError: the plan is for another length or number of canvases, or has a prompt.
        """
        batch, length = inputs.canvas.shape
        laid = self._lay_out(plan, length)
        if len(laid.layout.masks) not in (1, batch):
            raise ValueError(f"the plan is for {len(laid.layout.masks)} canvases, got {batch}")
        parts = min(self.threads // max(1, batch), length // _LEAST_ROWS)
        if parts > 1:
            self._decode_together(laid, inputs, parts, then)
            return
        network = self._weights.model, laid.layers, self._weights.flat
        heads = laid.layout.groups, laid.layout.index, laid.layout.masks
        reads = inputs.canvas, inputs.belief, inputs.free

        def work(first: int, last: int, member: int) -> None:
            decode_tile(first, last, laid.scratch[member], network, heads, reads, inputs.logits)
            then(first, last)

        self._deal(batch, work)

    def _decode_together(
        self, laid: _Laid, inputs: DecoderInputs, parts: int, then: OnDecoded
    ) -> None:
        """Have each canvas decoded by so many threads."""
        batch = len(inputs.canvas)
        network = self._weights.model, laid.layers, self._weights.flat
        room = self._rooms_together(laid.layout, batch, parts)
        stages = [new_stages(2 * len(laid.layers) + 1, parts) for _ in range(batch)]
        for b in range(batch):
            arrange_parts(inputs.free[b], laid.layout.index, room[b].places)

        def work(member: int) -> None:
            own = member // parts
            for b in (*range(own, batch), *range(own)):
                masks = laid.layout.masks[min(b, len(laid.layout.masks) - 1)]
                help_decode(
                    member % parts, stages[b], room[b].scratch, room[b].places, network,
                    (laid.layout.groups, masks), (inputs.canvas[b], inputs.belief[b]),
                    inputs.logits[b],
                )  # fmt: skip

        self._team.join(batch * parts, work)
        then(0, batch)

    def share_out(self, batch: int, work: OnDecoded) -> None:
        """Have the decoding threads do something else that treats canvases alone."""
        self._deal(batch, lambda first, last, _: work(first, last))

    def _deal(self, batch: int, work: Work) -> None:
        """Deal a batch to the threads, a tile at a time."""
        self._team.deal(batch, min(_TILE, -(-batch // self.threads)), work)

    def _lay_out(self, plan: AttentionPlan, length: int) -> _Laid:
        """The plan as the kernels read it; the few used last are remembered."""
        for laid in self._plans:
            if laid.plan is plan and laid.layout.length == length:
                return laid
        layout = HeadLayout.of(plan, length)
        laid = _Laid(plan, layout, self._weights.for_plan(layout), self._room(layout))
        self._plans = [laid, *self._plans[: _REMEMBERED - 1]]
        return laid

    def _room(self, layout: HeadLayout) -> list[_Scratch]:
        """Scratch for each thread; remembered layouts of one size share it."""
        for laid in self._plans:
            if laid.layout.length == layout.length and len(laid.layout.index) == len(layout.index):
                return laid.scratch
        return [
            _scratch(self._weights, layout.length, len(layout.index)) for _ in range(self.threads)
        ]

    def _rooms_together(self, layout: HeadLayout, batch: int, parts: int) -> list[SharedRoom]:
        """Room for so many canvases in parts; that of the few sizes used last is remembered."""
        key = layout.length, len(layout.index), parts
        rooms = self._shared_rooms.pop(key, [])
        while len(rooms) < batch:
            rooms.append(SharedRoom.of(self._weights, *key))
        self._shared_rooms[key] = rooms  # the last now
        if len(self._shared_rooms) > _REMEMBERED:
            del self._shared_rooms[next(iter(self._shared_rooms))]
        return rooms

    def _fill_tables(self, vocabulary: int) -> None:
        packed = self._weights
        work, at, *_ = _scratch(packed, vocabulary, 0)
        tokens, certain = np.arange(vocabulary), np.eye(vocabulary, dtype=np.float32)
        fill_tables(work, at[0], packed.model[0], packed.layers[0], packed.flat, tokens, certain)

    def _compile(self, model: DiffusionGemma) -> None:
        """Decode the smallest canvas, so that no caller's first step waits for the compiler."""
        everything = (HeadGroup(slice(0, model.config.num_attention_heads)),)
        plan: AttentionPlan = dict.fromkeys(model.config.layer_types, everything)
        logits = np.zeros((1, 1, self.vocabulary), np.float32)
        inputs = DecoderInputs.of(torch.zeros(1, 1, dtype=torch.int64), None, None, logits)
        self.run(plan, inputs)
        self._decode_together(self._lay_out(plan, 1), inputs, 1, lambda *_: None)
        self._plans.clear()
        self._shared_rooms.clear()


def supports_model(model: DiffusionGemma) -> bool:
    """Whether ``CpuDecoder`` computes this model: float32 on the CPU, one expert, no positions."""
    config = model.config
    return (
        model.device.type == "cpu"
        and model.dtype == torch.float32
        and config.num_experts == 1
        and config.positions == "none"
    )


def _scratch(weights: PackedWeights, length: int, indices: int) -> _Scratch:
    at, size = plan_buffers(weights.model[0], weights.layers, length, _TILE)
    order, row_of = np.zeros((2, _TILE, length), np.int64)
    return aligned(size), at, order, row_of, np.zeros((_TILE, indices), np.int64)
