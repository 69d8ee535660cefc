"""CUDA graphs: whole steps and passes recorded once for each size of batch, then replayed.

A step of the 26B is several hundred kernels, and launching them one by one takes longer than the
small ones run. Batches are filled up to a few sizes with copies of their first canvas, which nobody
reads. What cannot be recorded is taken eagerly.

Shapes: B canvases, L positions, N free positions in all, S tokens of a chunk.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.canvas import FREE, CanvasRequest
from engine.domain import ANYTHING
from engine.domain_sets import DomainSets
from engine.text.network import Past, TextNetwork
from engine.text.state import Moved, TextState, TextStep, first_text_state
from engine.text.step import EagerTextStepper, Surroundings, padded, text_step
from engine.text.tensors import copy_tensors, map_tensors

#: Canvases of a recorded step, up to as many as the cache holds, and that many. Between two sizes
#: at most a third of a step is in vain.
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
#: As many of a canvas's positions as are free, rounded up to one of these parts, get logits.
_PARTS = 4
#: Sets of a domain in a recorded step.
_SETS = (16, 64, 256)
#: Records at most, of steps and passes; each keeps some megabytes a canvas. More are taken eagerly.
_MOST = 40
#: Sequences that a recorded pass encodes at once.
_PIECES = (1, 2, 4)

Out = TypeVar("Out")
log = logging.getLogger(__name__)


class Recorder(Protocol):
    """Records what a function launches."""

    def __call__(self, function: Callable[[], Out]) -> tuple[Callable[[], object], Out]:
        """Run a function for the record: what replays it, and the outputs that replays fill."""


class CudaRecorder:
    """Records CUDA graphs, which share the memory of what they compute in between."""

    def __init__(self, device: torch.device) -> None:
        """Ready to record what is launched on a GPU, which need not be the current one."""
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        # One for all, since memory is shared only within a stream.
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch

    def __call__(self, function: Callable[[], Out]) -> tuple[Callable[[], object], Out]:
        """See ``Recorder``. A first run compiles the kernels, which cannot be recorded."""
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                function()
            torch.cuda.current_stream().wait_stream(self._stream)
            torch.cuda.empty_cache()  # what the first run took, the graph takes from its own pool
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                outputs = function()
        return graph.replay, outputs


@dataclass(frozen=True, eq=False)
class _StepRecord:
    """A recorded step. A replay moves ``state`` on in place."""

    state: TextState
    around: Surroundings
    replay: Callable[[], object]
    step: TextStep
    ends: Tensor


@dataclass(frozen=True, eq=False)
class _PassInputs:
    tokens: Tensor
    lengths: Tensor
    past: Past


@dataclass(frozen=True, eq=False)
class _PassRecord:
    """A recorded pass."""

    inputs: _PassInputs
    replay: Callable[[], object]


@dataclass(frozen=True)
class _Key:
    """What a recorded step is for: B, N, and how many sets; 0 without a domain."""

    canvases: int
    cells: int
    sets: int


class GraphTextStepper:
    """A ``TextStepper`` that replays."""

    def __init__(self, network: TextNetwork, recorder: Recorder | None = None) -> None:
        """Start with nothing recorded.

        Args:
            network: on a GPU.
            recorder: what records; None for CUDA graphs.
        """
        self._network = network
        self._record = recorder or CudaRecorder(network.weights.device)
        self._eager = EagerTextStepper(network)
        # None is larger than the batch can be, for which memory was set aside.
        most = min(network.cache.sizes.sequences, SIZES[-1])
        self._sizes = (*(size for size in SIZES if size < most), most)
        self._steps: dict[_Key, _StepRecord | None] = {}  # None: taken eagerly
        self._passes: dict[tuple[int, int], _PassRecord | None] = {}
        needs = network.cache.needs(network.cache.sizes.max_context)
        self._widths = {kind: max(1, count) for kind, count in needs.items()}
        self._resting: tuple[object, object] = (None, None)  # what the next replay would read

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Record a step of every size, with all positions free.

        The largest is first: the others find room in the memory that it has taken.
        """
        for size in reversed(self._sizes):
            length = self._network.config.canvas_length
            request = CanvasRequest(clamps=np.full(length, FREE, np.int64))
            embeddings = self._network.weights.embeddings.values
            state = first_text_state([request] * size, length, embeddings)
            nothing = torch.zeros(size, dtype=torch.int32, device=embeddings.device)
            past = Past(nothing, dict.fromkeys(self._widths, nothing[:, None]))
            self.step(state, Surroundings.of(past, state.free, None))

    def encode(self, pieces: Sequence[Sequence[int]], past: Past) -> None:
        """See ``TextStepper.encode``."""
        size = _at_least(len(pieces), _PIECES)
        if size is None:
            self._eager.encode(pieces, past)
            return
        tokens, lengths = padded(pieces, self._network.weights.device)
        more = size - len(pieces)  # sequences of no tokens, which write nothing
        width = 1 << (tokens.shape[1] - 1).bit_length()
        inputs = _PassInputs(
            F.pad(tokens, (0, width - tokens.shape[1], 0, more)),
            F.pad(lengths, (0, more)),
            self._widened(past, more),
        )
        if (size, width) not in self._passes:
            self._passes[size, width] = self._tried(lambda: self._record_pass(inputs))
        record = self._passes[size, width]
        if record is None:
            self._eager.encode(pieces, past)
            return
        copy_tensors(inputs, record.inputs)
        record.replay()

    def step(self, state: TextState, around: Surroundings) -> Moved:
        """See ``TextStepper.step``. What is returned is overwritten by the next step."""
        key = self._key(state, around)
        if key is None:
            return self._eager.step(state, around)
        if key not in self._steps:
            filled = self._filled(state, around, key)
            self._steps[key] = self._tried(lambda: self._record_step(*filled))
        record = self._steps[key]
        if record is None:
            return self._eager.step(state, around)
        if self._resting != (state, around):
            fresh_state, fresh_around = self._filled(state, around, key)
            copy_tensors(fresh_state, record.state)
            copy_tensors(fresh_around, record.around)
        record.replay()
        count = len(state)
        moved = Moved(
            map_tensors(record.state, lambda x: x[:count]),
            map_tensors(record.step, lambda x: x[:count]),
            record.ends[:, :count],
        )
        self._resting = (moved.state, around)
        return moved

    def _key(self, state: TextState, around: Surroundings) -> _Key | None:
        """The record that these canvases fit into; None, and they are stepped eagerly."""
        canvases = _at_least(len(state), self._sizes)
        sets = 0 if around.domain is None else _at_least(len(around.domain.sets), _SETS)
        if canvases is None or sets is None or not len(around.cells):
            return None
        whole = canvases * state.canvas.shape[1]
        parts = -(-len(around.cells) * _PARTS // whole)
        return _Key(canvases, -(-whole * parts // _PARTS), sets)

    def _filled(
        self, state: TextState, around: Surroundings, key: _Key
    ) -> tuple[TextState, Surroundings]:
        """Canvases and surroundings in the sizes of a record."""
        more = key.canvases - len(state)
        again = around.cells[-1:].expand(key.cells - len(around.cells))
        domain = None if around.domain is None else _more_sets(around.domain, key.sets, more)
        grown = Surroundings(
            self._widened(around.past, more), torch.cat((around.cells, again)), domain
        )
        return map_tensors(state, lambda x: _repeated(x, more)), grown

    def _widened(self, past: Past, more: int) -> Past:
        """With page tables of their full width, and so many more sequences that have no past."""
        pages = {
            kind: F.pad(table, (0, self._widths[kind] - table.shape[1], 0, more))
            for kind, table in past.pages.items()
        }
        return Past(F.pad(past.cached, (0, more)), pages)

    def _tried(self, record: Callable[[], Out]) -> Out | None:
        """A record; None where none can be made, or there are as many as memory is to hold."""
        if len(self._steps) + len(self._passes) >= _MOST:
            return None
        try:
            return record()
        except RuntimeError:  # mostly for want of memory: slower, and as right
            if not self._steps:  # the first of all: nothing can be recorded here
                raise
            log.warning("a step cannot be recorded and is taken eagerly", exc_info=True)
            return None

    def _record_step(self, state: TextState, around: Surroundings) -> _StepRecord:
        state, around = map_tensors(state, torch.clone), map_tensors(around, torch.clone)

        def function() -> tuple[TextStep, Tensor]:
            moved = Moved.by(text_step(self._network, state, around), state)
            copy_tensors(moved.state, state)
            # The step's own signal need not be kept beside the state's, which is the same.
            return replace(moved.step, signal=state.signal), moved.ends

        replay, (step, ends) = self._record(function)
        return _StepRecord(state, around, replay, step, ends)

    def _record_pass(self, inputs: _PassInputs) -> _PassRecord:
        static = map_tensors(inputs, torch.clone)
        static.lengths.zero_()  # what the first run writes into a ring, a second could not read

        def function() -> None:
            self._network.encode(static.tokens, static.lengths, static.past)

        replay, _ = self._record(function)
        return _PassRecord(static, replay)


def _at_least(count: int, sizes: Sequence[int]) -> int | None:
    """The smallest size that holds so many; None if none does."""
    return next((size for size in sizes if size >= count), None)


def _repeated(x: Tensor, more: int) -> Tensor:
    """With so many copies of the first row behind."""
    return torch.cat((x, x[:1].expand(more, *x.shape[1:])))


def _more_sets(domain: DomainSets, sets: int, more: int) -> DomainSets:
    """With empty sets that nobody names, and canvases that may hold anything."""
    return replace(
        domain,
        sets=F.pad(domain.sets, (0, 0, 0, sets - len(domain.sets))),
        which=F.pad(domain.which, (0, 0, 0, more), value=ANYTHING),
    )
