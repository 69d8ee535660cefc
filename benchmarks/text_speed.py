"""How fast this engine denoises: milliseconds a step, and tokens a second with commits."""

from __future__ import annotations

from statistics import mean
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks.device_time import Marks, rate, seconds
from engine.canvas import FREE, CanvasRequest, SamplingParams
from engine.precision.weight import Weight
from engine.text import network as network_module
from engine.text.chunks import Chunks
from engine.text.network import Past, TextNetwork
from engine.text.request import TextRequest
from engine.text.state import first_text_state
from engine.text.step import EagerTextStepper, Surroundings, TextStepper
from engine.text.text_batch import TextBatch
from engine.ticket import Request, Ticket

_WARM_UP = 4
#: Steps of a canvas that is not to end.
_FOREVER = 4096


def sampling(steps: int) -> SamplingParams:
    """Every canvas takes all its steps."""
    return SamplingParams(max_steps=steps, confidence=0.0)


def prompts(network: TextNetwork, batch: int, length: int) -> list[tuple[int, ...]]:
    """Random tokens, the same each time."""
    chooser = np.random.default_rng(batch)
    tokens = chooser.integers(network.config.vocab_size, size=(batch, length))
    return [tuple(row) for row in tokens.tolist()]


def step_times(
    network: TextNetwork, stepper: TextStepper, batch: int, prompt: int, steps: int
) -> list[float]:
    """Milliseconds from the start of a step to the start of the next, after a warm-up."""
    marks = Marks(network.weights.device)
    with Steps(network, batch, prompt) as canvases:
        for _ in range(_WARM_UP):
            canvases.take(stepper)
        for _ in range(steps):
            marks.mark()
            canvases.take(stepper)
        marks.mark()
        return marks.intervals()


def experts_visited(network: TextNetwork, batch: int, prompt: int) -> float:
    """Of a layer, by at least one token of a step, on average over layers."""
    visited: list[int] = []
    choose = network_module.choose_experts

    def watched(x: Tensor, router: Weight, scale: Tensor, k: int) -> tuple[Tensor, Tensor]:
        weights, chosen = choose(x, router, scale, k)
        visited.append(len(chosen.unique()))
        return weights, chosen

    # The second step, which is conditioned on what the first one believed, as all others are. All
    # canvases together, also where the eager stepper takes one after another.
    with Steps(network, batch, prompt) as steps:
        steps.take(EagerTextStepper(network))
        with mock.patch.object(network_module, "choose_experts", watched):
            state, around = steps.state, steps.around
            network.decode(state.canvas, state.signal, state.lengths, around.past)
    return mean(visited)


class Steps:
    """Canvases after prompts, all positions free, that never end."""

    def __init__(self, network: TextNetwork, batch: int, prompt: int) -> None:
        config, device = network.config, network.weights.device
        self._cache = network.cache
        self._leases = [self._cache.lease(prompt) for _ in range(batch)]
        pages = {
            kind: torch.tensor([x.pages[kind] for x in self._leases], dtype=torch.int32).to(device)
            for kind in config.layer_types
        }
        nothing = torch.zeros(batch, dtype=torch.int32, device=device)
        self._prompts = prompts(network, batch, prompt)
        self._encode(EagerTextStepper(network), Past(nothing, pages))
        requests = [
            CanvasRequest(
                clamps=np.full(config.canvas_length, FREE, np.int64),
                sampling=sampling(_FOREVER),
                seed=seed,
            )
            for seed in range(batch)
        ]
        embeddings = network.weights.embeddings.values
        self.state = first_text_state(requests, config.canvas_length, embeddings)
        self.around = Surroundings.of(Past(nothing + prompt, pages), self.state.free, None)

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: object) -> None:
        for lease in self._leases:
            self._cache.release(lease)

    def take(self, stepper: TextStepper) -> None:
        """The next step of all."""
        self.state = stepper.step(self.state, self.around).state

    def _encode(self, stepper: TextStepper, past: Past) -> None:
        chunks = Chunks.on(past.cached.device)
        rows = max(1, chunks.budget // chunks.size)
        for first in range(0, len(self._prompts), rows):
            some = self._prompts[first : first + rows]
            index = torch.arange(first, first + len(some), device=past.cached.device)
            for at in range(0, len(some[0]), chunks.size):
                own = past.keep(index)
                own = Past(own.cached + at, own.pages)
                stepper.encode([tokens[at : at + chunks.size] for tokens in some], own)


def tokens_per_second(
    network: TextNetwork, stepper: TextStepper, batch: int, prompt: int, steps: int, canvases: int
) -> float:
    """Tokens of whole canvases, commits included.

    Texts of one canvas and of ``canvases`` are generated; the difference in time is what the others
    took, each a commit and its steps, and the prompts cancel out.
    """

    def taken(count: int) -> float:
        sizes = {"batch": batch, "prompt": prompt, "steps": steps, "canvases": count}
        device = network.weights.device
        return seconds(device, lambda: generate(network, stepper, **sizes))

    taken(2)  # the warm-up, a commit included, which is recorded when it first comes
    few, many = taken(1), taken(canvases)
    return rate((canvases - 1) * batch * network.config.canvas_length, few, many)


def generate(
    network: TextNetwork,
    stepper: TextStepper,
    *,
    batch: int,
    prompt: int,
    steps: int,
    canvases: int,
) -> None:
    """Generate texts of so many whole canvases, of so many steps each."""
    running: TextBatch[Ticket[Request]] = TextBatch(
        network, stepper, Chunks.on(network.weights.device)
    )
    for seed, tokens in enumerate(prompts(network, batch, prompt)):
        request = TextRequest(
            prompt=tokens,
            max_tokens=canvases * network.config.canvas_length,
            sampling=sampling(steps),
            seed=seed,
        )
        running.admit(Ticket(request))
    while len(running):
        running.step()
