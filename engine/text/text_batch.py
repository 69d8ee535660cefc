"""Step-level continuous batching of text: prompts are encoded, canvases denoised and committed.

Each cycle encodes a bounded number of tokens, those of prompts and of committed canvases alike, and
takes one denoising step of all canvases whose past is encoded. So a long prompt takes its turns
between the steps of others, and they go on. Knows tensors and tickets; knows no threads.

Shapes: B canvases, L positions, S tokens of a chunk.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
import torch
from torch import Tensor

from engine.canvas import CanvasRequest, CanvasResult, Draft, FinishReason
from engine.canvas_rows import reason
from engine.domain_sets import DomainSets
from engine.text.chunks import Chunks
from engine.text.kv_cache import Lease
from engine.text.network import Past, TextNetwork
from engine.text.passage import Passage, cached_positions, passage_of
from engine.text.state import Moved, TextState, TextStep, first_text_state
from engine.text.step import Surroundings, TextStepper
from engine.ticket import Departure, Event, Request, StepOutcome, T


@dataclass(eq=False)
class _Running(Generic[T]):
    """A request that is under way.

    Attributes:
        ticket: the caller's.
        passage: what it asks for.
        lease: its pages.
        pending: tokens that are to be encoded before the next canvas.
        cached: positions that are encoded.
        canvas: the one that is denoised, or was last.
        domain: its domain, on the device.
    """

    ticket: T
    passage: Passage
    lease: Lease
    pending: Sequence[int]
    canvas: CanvasRequest
    domain: DomainSets | None = None
    cached: int = 0


class TextBatch(Generic[T]):
    """The running requests of one text model."""

    def __init__(self, network: TextNetwork, stepper: TextStepper, chunks: Chunks) -> None:
        """Start empty.

        Args:
            network: weights and cache.
            stepper: takes the steps and encodes.
            chunks: how much is encoded between two steps.
        """
        self._network = network
        self._stepper = stepper
        self._chunks = chunks
        self._length = network.config.canvas_length
        self._encoding: deque[_Running[T]] = deque()
        self._denoising: list[_Running[T]] = []
        self._state: TextState | None = None
        self._around: Surroundings | None = None

    def __len__(self) -> int:
        return len(self._encoding) + len(self._denoising)

    @property
    def tickets(self) -> list[T]:
        """Of all requests under way."""
        return [running.ticket for running in (*self._encoding, *self._denoising)]

    def has_room(self, request: Request) -> bool:
        """Whether a request can be taken in now, with all that it may grow to."""
        cache = self._network.cache
        fits = cache.has_room(cached_positions(request, self._length))
        return fits and len(self) < cache.sizes.sequences

    def admit(self, ticket: T) -> None:
        """Take a request in; see ``has_room``."""
        ticket.admitted = time.monotonic()
        passage = passage_of(ticket, self._length)
        lease = self._network.cache.lease(cached_positions(ticket.request, self._length))
        self._encoding.append(_Running(ticket, passage, lease, passage.prompt, passage.canvas()))

    def clear(self) -> None:
        """Give up all requests, and every page: a step that failed may have left any undone."""
        self._network.cache.clear()
        self._encoding.clear()
        self._denoising.clear()
        self._state = self._around = None

    @torch.inference_mode()
    def step(self) -> StepOutcome[T]:
        """Drop cancelled requests, encode, take one denoising step, let the finished depart."""
        self._drop_cancelled()
        self._encode()
        self._begin_canvases()
        if self._state is None:
            return StepOutcome((), ())
        if self._around is None:
            self._around = self._surroundings(self._state)
        moved = self._stepper.step(self._state, self._around)
        self._state = moved.state
        return self._go_on(moved)

    def _encode(self) -> None:
        """One chunk of each of the first sequences, as many as the budget allows, in turn."""
        chosen: list[_Running[T]] = []
        longest = 0
        for running in self._encoding:
            size = min(self._chunks.size, len(running.pending))
            padded = (len(chosen) + 1) * max(longest, size)
            if size and (not chosen or padded <= self._chunks.budget):
                chosen.append(running)
                longest = max(longest, size)
        if not chosen:
            return
        pieces = [running.pending[: self._chunks.size] for running in chosen]
        self._stepper.encode(pieces, self._past(chosen))
        for running, piece in zip(chosen, pieces, strict=True):
            running.cached += len(piece)
            running.pending = running.pending[len(piece) :]
            self._encoding.remove(running)
            self._encoding.append(running)  # behind those that wait

    def _begin_canvases(self) -> None:
        ready = [running for running in self._encoding if not running.pending]
        if not ready:
            return
        for running in ready:
            self._encoding.remove(running)
            running.canvas = running.passage.canvas()
            running.domain = self._domain(running.canvas)
        requests = [running.canvas for running in ready]
        embeddings = self._network.weights.embeddings.values
        domain = DomainSets.join([r.domain for r in ready], self._length, embeddings.device)
        fresh = first_text_state(requests, self._length, embeddings, domain)
        self._state = fresh if self._state is None else self._state.join(fresh)
        self._denoising += ready
        self._around = None

    def _domain(self, canvas: CanvasRequest) -> DomainSets | None:
        """On the device, once: the batch changes often, and sets may be large."""
        if canvas.domain is None or not len(canvas.domain.packed):
            return None
        return DomainSets.of(canvas.domain, self._length, self._network.weights.device)

    def _surroundings(self, state: TextState) -> Surroundings:
        domains = [running.domain for running in self._denoising]
        sets = DomainSets.join(domains, self._length, state.canvas.device)
        return Surroundings.of(self._past(self._denoising), state.free, sets)

    def _past(self, sequences: Sequence[_Running[T]]) -> Past:
        device = self._network.weights.device
        cached = torch.tensor([s.cached for s in sequences], dtype=torch.int32)
        pages = {}
        for kind in self._network.config.layer_types:
            held = [s.lease.pages[kind] for s in sequences]
            width = max(1, *map(len, held))
            table = np.array([[*row, *[0] * (width - len(row))] for row in held], np.int32)
            pages[kind] = torch.from_numpy(table).to(device)
        return Past(cached.to(device), pages)

    def _go_on(self, moved: Moved) -> StepOutcome[T]:
        step, now = moved.step, time.monotonic()
        settled, spent, steps = moved.ends.tolist()
        why = [reason(False, *map(bool, ends)) for ends in zip(settled, spent, strict=True)]
        events: list[tuple[T, Event]] = self._drafts(steps, step)
        departures: list[Departure[T]] = []
        ended = [i for i, because in enumerate(why) if because is not None]
        for row in ended:
            running, because = self._denoising[row], why[row]
            assert because is not None
            taken = running.passage.take(self._result(running, step, row, because, steps[row]), now)
            if running.ticket.wants_drafts:
                events += [(running.ticket, event) for event in taken.events]
            if taken.result is not None:
                self._network.cache.release(running.lease)
                departures.append(Departure(running.ticket, taken.result))
            else:
                running.pending = taken.tokens
                self._encoding.append(running)
        self._retain([i for i, because in enumerate(why) if because is None])
        return StepOutcome(events, departures)

    def _drafts(self, steps: Sequence[int], step: TextStep) -> list[tuple[T, Event]]:
        if not any(running.ticket.wants_drafts for running in self._denoising):
            return []
        shown = [_fetched(x) for x in (step.draft, step.accepted, step.entropy)]
        return [
            (running.ticket, running.passage.show(Draft(steps[i], *(x[own] for x in shown))))
            for i, running in enumerate(self._denoising)
            if running.ticket.wants_drafts
            for own in [(i, slice(running.canvas.length))]
        ]

    def _result(
        self, running: _Running[T], step: TextStep, row: int, why: FinishReason, steps: int
    ) -> CanvasResult:
        own = (row, slice(running.canvas.length))  # without padding
        entropy = _fetched(step.entropy[own])
        if not np.isfinite(entropy).all():
            raise FloatingPointError("the model's logits are no numbers; are its weights damaged?")
        return CanvasResult(
            tokens=_fetched(step.draft[own]),
            entropy=entropy,
            candidate_mass=_fetched(step.candidate_mass[own]),
            reason=why,
            steps=steps,
            queue_ms=0.0,
            compute_ms=0.0,
        )

    def _drop_cancelled(self) -> None:
        # Asked once: a caller may cancel at any moment, and who leaves must give its pages back.
        gone = {r for r in (*self._encoding, *self._denoising) if r.ticket.cancelled}
        for running in gone:
            self._network.cache.release(running.lease)
        self._encoding = deque(r for r in self._encoding if r not in gone)
        self._retain([i for i, r in enumerate(self._denoising) if r not in gone])

    def _retain(self, rows: list[int]) -> None:
        if len(rows) == len(self._denoising) or self._state is None:
            return
        self._denoising = [self._denoising[i] for i in rows]
        index = torch.tensor(rows, dtype=torch.int64, device=self._state.canvas.device)
        self._state = self._state.keep(index) if rows else None
        self._around = None


def _fetched(x: Tensor) -> np.ndarray[Any, Any]:
    """On the host and apart from ``x``, which the next step may overwrite."""
    return x.cpu().numpy().copy()
