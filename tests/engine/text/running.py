"""Text batches in tests: of a model in memory, driven without a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.checkpoint import Checkpoint
from engine.text.capacity import capacity
from engine.text.chunks import Chunks
from engine.text.kv_cache import CacheSizes, KVCache
from engine.text.network import TextNetwork
from engine.text.step import EagerTextStepper, TextStepper
from engine.text.text_batch import TextBatch
from engine.text.text_checkpoint import TextCheckpoint
from engine.ticket import Event, Request, Result, Ticket


@dataclass
class Run:
    """What came of requests: their results in order, and the events of each."""

    results: list[Result]
    events: list[list[Event]] = field(default_factory=list)


def text_batch(
    checkpoint: Checkpoint,
    *,
    chunk: int = 8,
    budget: int = 16,
    sizes: CacheSizes | None = None,
    stepper: Callable[[TextNetwork], TextStepper] = EagerTextStepper,
) -> TextBatch[Ticket[Request]]:
    """A batch that cuts even short prompts into chunks."""
    text = TextCheckpoint.of(checkpoint)
    weights = text.weights
    chunks = Chunks(chunk, budget)
    sizes = sizes or capacity(
        text.config, weights.dtype, weights.device, chunks, max_batch=64, max_context=4096
    )
    network = TextNetwork(
        text.config, weights, KVCache(text.config, sizes, weights.dtype, weights.device)
    )
    return TextBatch(network, stepper(network), chunks)


def run(
    batch: TextBatch[Ticket[Request]],
    requests: Sequence[Request],
    joining: Sequence[int] | None = None,
    *,
    drafts: bool = False,
) -> Run:
    """Run requests to their ends; each joins when it fits, from the cycle that is given on."""
    tickets: list[Ticket[Request]] = [Ticket(r, wants_drafts=drafts) for r in requests]
    waiting = sorted(zip(joining or [0] * len(tickets), range(len(tickets)), strict=True))
    results: dict[int, Result] = {}
    events: dict[int, list[Event]] = {id(t): [] for t in tickets}
    cycle = 0
    while waiting or len(batch):
        for item in list(waiting):
            at, index = item
            if at <= cycle and batch.has_room(tickets[index].request):
                batch.admit(tickets[index])
                waiting.remove(item)
        outcome = batch.step()
        for ticket, event in outcome.events:
            events[id(ticket)].append(event)
        for departure in outcome.departures:
            results[id(departure.ticket)] = departure.result
        cycle += 1
    return Run([results[id(t)] for t in tickets], [events[id(t)] for t in tickets])
