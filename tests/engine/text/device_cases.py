"""What must hold of the text path on any device, as plain functions.

They need torch, NumPy and Triton alone: ``python -m tests.engine.text.device_cases`` runs them all
on a GPU that has no pytest.
"""

from __future__ import annotations

import random
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks.text_model import (
    SIZES,
    RandomSource,
    cache_for,
    random_network,
    random_weights,
)
from engine.canvas import FREE, CanvasRequest, CanvasResult, SamplingParams
from engine.domain import ANYTHING, Domain
from engine.domain_sets import DomainSets
from engine.precision.precision import Precision
from engine.precision.weight import Weight
from engine.text.chunks import Chunks
from engine.text.graphs import GraphTextStepper, Recorder
from engine.text.network import Past, TextNetwork
from engine.text.request import TextRequest, TextResult
from engine.text.state import TextState, TextStep, first_text_state
from engine.text.step import EagerTextStepper, Surroundings, TextStepper
from engine.text.tensors import map_tensors
from engine.text.text_batch import TextBatch
from engine.text.weights import TextWeights
from engine.ticket import Request, Ticket

CONFIG = SIZES["tiny"]
LENGTH, VOCABULARY = CONFIG.canvas_length, CONFIG.vocab_size
#: More than the window, a page and a bit, and one token.
PROMPTS = (200, 70, 1)
#: How many times as large an error may be, and what float32 may lose.
AS_NEAR, EXACT = 1.25, 1e-4


def graphed_steps_equal_eager_ones(
    device: torch.device, precision: Precision, recorder: Recorder | None = None
) -> None:
    """To the bit, but on a CPU, where products round as the number of rows has it."""
    network = network_on(device, precision)
    eager = steps_of(network, EagerTextStepper(network))
    graphed = steps_of(network, GraphTextStepper(network, recorder))
    for expected, found in zip(eager, graphed, strict=True):
        assert torch.equal(found.canvas, expected.canvas)
        assert torch.equal(found.draft, expected.draft)
        if device.type == "cuda":
            assert torch.equal(found.entropy, expected.entropy)
            assert torch.equal(found.signal, expected.signal)


def requests_answer_the_same_in_any_company(
    device: torch.device, precision: Precision, count: int, recorder: Recorder | None = None
) -> None:
    """Each alone and all in random mixed batches, through recorded steps."""
    chooser = random.Random(0)
    requests = [random_request(chooser) for _ in range(count)]
    network = network_on(device, precision, sequences=count)
    stepper = EagerTextStepper(network)
    if device.type == "cuda" or recorder:
        stepper = GraphTextStepper(network, recorder)
    alone = [run(network, stepper, [request], [0])[0] for request in requests]
    for _ in range(2):
        joining = [chooser.randrange(40) for _ in requests]
        mixed = run(network, stepper, requests, joining)
        for one, other in zip(alone, mixed, strict=True):
            assert np.array_equal(one.tokens, other.tokens)
            assert one.steps == other.steps
            if device.type == "cuda":
                assert np.array_equal(one.entropy, other.entropy)


def kernels_are_as_near_as_plain_functions(device: torch.device, precision: Precision) -> None:
    """To float32: what a canvas's pass and a prompt's leave, through the whole network.

    Not to each other: six layers of random weights make much of every rounding.
    """
    network, exact = network_on(device, precision), exact_passes(device, precision)
    found = passes_of(network)
    with plain_functions():
        expected = passes_of(network)
    for ours, plain, wanted in zip(found, expected, exact, strict=True):
        assert ours.isfinite().all()
        assert typical_error(ours, wanted) < AS_NEAR * typical_error(plain, wanted) + EXACT


def quantised_weights_equal_what_they_stand_for(device: torch.device, precision: Precision) -> None:
    """As near to float32 with weights as they are kept as with the floats that they stand for."""
    found = passes_of(network_on(device, precision))
    plain = TextWeights.read(CONFIG, _Dequantised(CONFIG, precision, device))
    expected = passes_of(random_network(plain, CONFIG, cache_for(CONFIG, 4, 1024)))
    for ours, floats, wanted in zip(found, expected, exact_passes(device, precision), strict=True):
        assert ours.isfinite().all()
        assert typical_error(ours, wanted) < AS_NEAR * typical_error(floats, wanted)


def rows_are_the_same_wherever_they_are_rounded(device: torch.device) -> None:
    """To the bit: by what computes them, or by the product with weights in fp8 that reads them."""
    network = network_on(device, Precision.FP8)
    found = passes_of(network)
    network._rounded = False
    for ours, expected in zip(found, passes_of(network), strict=True):
        assert torch.equal(ours, expected)


def exact_passes(device: torch.device, precision: Precision) -> tuple[Tensor, Tensor]:
    """Of the same weights, in float32, by plain functions."""
    weights = TextWeights.read(CONFIG, _Exact(CONFIG, precision, device))
    with plain_functions():
        return passes_of(random_network(weights, CONFIG, cache_for(CONFIG, 4, 1024)))


class _Exact(RandomSource):
    def tensor(self, name: str) -> Tensor:
        return super().tensor(name).float()

    def weight(self, name: str) -> Weight:
        # What is kept was made of the parameter as it is stored.
        stored = RandomSource(CONFIG, self._precision, self._device)
        return Weight(stored.weight(name).dequantized().float())


class _Dequantised(RandomSource):
    def weight(self, name: str) -> Weight:
        return Weight(super().weight(name).dequantized().to(torch.bfloat16))


def network_on(device: torch.device, precision: Precision, sequences: int = 4) -> TextNetwork:
    """Tiny, with random weights and an empty cache."""
    weights = random_weights(CONFIG, precision, device)
    return random_network(weights, CONFIG, cache_for(CONFIG, sequences, 1024))


@torch.inference_mode()
def steps_of(network: TextNetwork, stepper: TextStepper, count: int = 5) -> list[TextStep]:
    """The steps of three canvases, the last of which has clamps and domains."""
    state, around = begun(network, stepper)
    steps = []
    for _ in range(count):
        moved = stepper.step(state, around)
        state = moved.state
        steps.append(map_tensors(moved.step, torch.clone))  # the next step writes into them
    return steps


def begun(network: TextNetwork, stepper: TextStepper) -> tuple[TextState, Surroundings]:
    """Canvases before their first step, their prompts encoded."""
    past = encoded(network, stepper)
    sets = np.zeros((1, VOCABULARY), np.bool_)
    sets[0, 3:90] = True
    clamps = np.full((3, LENGTH), FREE)
    clamps[2, ::3] = 7
    requests = [
        CanvasRequest(clamps=clamps[0], seed=1),
        CanvasRequest(clamps=clamps[1], seed=2, sampling=SamplingParams(entropy_bound=20.0)),
        CanvasRequest(
            clamps=clamps[2], seed=3, domain=Domain.of_sets(sets, np.arange(LENGTH) % 2 - 1)
        ),
    ]
    device = network.weights.device
    domain = DomainSets.join([on_device(r, device) for r in requests], LENGTH, device)
    state = first_text_state(requests, LENGTH, network.weights.embeddings.values, domain)
    return state, Surroundings.of(past, state.free, domain)


def on_device(request: CanvasRequest, device: torch.device) -> DomainSets | None:
    return None if request.domain is None else DomainSets.of(request.domain, LENGTH, device)


def encoded(network: TextNetwork, stepper: TextStepper) -> Past:
    """Where three sequences stand after prompts of ``PROMPTS`` tokens."""
    device = network.weights.device
    chooser = np.random.default_rng(0)
    leases = [network.cache.lease(256) for _ in PROMPTS]
    pages = {
        kind: torch.tensor([x.pages[kind] for x in leases], dtype=torch.int32).to(device)
        for kind in CONFIG.layer_types
    }
    start = torch.zeros(len(PROMPTS), dtype=torch.int32, device=device)
    prompts = [chooser.integers(VOCABULARY, size=size).tolist() for size in PROMPTS]
    stepper.encode(prompts, Past(start, pages))
    for lease in leases:
        network.cache.release(lease)
    return Past(torch.tensor(PROMPTS, dtype=torch.int32).to(device), pages)


@torch.inference_mode()
def passes_of(network: TextNetwork) -> tuple[Tensor, Tensor]:
    """Hidden states of canvases, and the last layer's keys of their prompts, a row each."""
    past = encoded(network, EagerTextStepper(network))
    device = network.weights.device
    generator = torch.Generator().manual_seed(0)
    shape = len(PROMPTS), LENGTH
    canvas = torch.randint(VOCABULARY, shape, generator=generator).to(device)
    signal = 0.01 * torch.randn(*shape, CONFIG.hidden_size, generator=generator)
    lengths = torch.full(shape[:1], LENGTH, dtype=torch.int32, device=device)
    hidden = network.decode(
        canvas, signal.to(device, network.weights.dtype), lengths, past
    ).flatten(0, 1)
    keys, _ = network.cache.layers[-1]
    held = past.pages["full_attention"][0, : PROMPTS[0] // keys.shape[1]]
    return hidden, keys[held.long()].flatten(2).flatten(0, 1)


def typical_error(found: Tensor, expected: Tensor) -> float:
    """The median over rows of ||found - expected|| / ||expected||.

    Not the largest: where two experts are nearly as good, rounding decides, and a row is another.
    """
    lost = (found - expected).float().norm(dim=-1) / expected.float().norm(dim=-1)
    return float(lost.median())


@contextmanager
def plain_functions() -> Iterator[None]:
    """No Triton kernel runs inside."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("engine.kernels.") and hasattr(module, "runs_triton"):
                stack.enter_context(mock.patch.object(module, "runs_triton", return_value=False))
        yield


def random_request(chooser: random.Random) -> Request:
    """A text or a canvas, with any prompt, clamps, domain and knobs."""
    length = chooser.choice([0, 1, 7, 64, 200])
    prompt = tuple(chooser.randrange(VOCABULARY) for _ in range(length))
    sampling = SamplingParams(
        max_steps=chooser.randrange(1, 6), entropy_bound=chooser.choice([0.1, 20.0])
    )
    seed = chooser.randrange(10**6)
    if chooser.random() < 0.5:
        tokens = chooser.randrange(1, 3 * LENGTH)
        return TextRequest(prompt=prompt, max_tokens=tokens, sampling=sampling, seed=seed)
    size = chooser.randrange(1, LENGTH + 1)
    sets = np.array([[chooser.random() < 0.3 for _ in range(VOCABULARY)] for _ in range(2)])
    sets[:, 5] = True
    which = np.array([chooser.choice([ANYTHING, 0, 1]) for _ in range(size)])
    clamps = np.where([chooser.random() < 0.3 for _ in range(size)], 5, FREE)
    domain = Domain.of_sets(sets, which) if chooser.random() < 0.5 else None
    return CanvasRequest(clamps=clamps, domain=domain, prompt=prompt, sampling=sampling, seed=seed)


def run(
    network: TextNetwork,
    stepper: TextStepper,
    requests: Sequence[Request],
    joining: Sequence[int],
) -> list[TextResult | CanvasResult]:
    """Results in order; each request joins in the cycle that is given."""
    batch: TextBatch[Ticket[Request]] = TextBatch(network, stepper, Chunks(64, 128))
    tickets = [Ticket(request) for request in requests]
    waiting = sorted(range(len(tickets)), key=lambda i: joining[i])
    results: dict[int, TextResult | CanvasResult] = {}
    cycle = 0
    while waiting or len(batch):
        while waiting and joining[waiting[0]] <= cycle:
            batch.admit(tickets[waiting.pop(0)])
        for departure in batch.step().departures:
            results[id(departure.ticket)] = departure.result
        cycle += 1
    return [results[id(ticket)] for ticket in tickets]


def cases(device: torch.device) -> Iterator[tuple[str, Callable[[], None]]]:
    """Every case by name."""
    floats, kept = (Precision.FLOAT32, Precision.BFLOAT16), (Precision.FP8, Precision.INT4)
    for precision in (*floats, *kept):
        own = device, precision
        yield (
            f"graphed steps equal eager ones, {precision.value}",
            partial(graphed_steps_equal_eager_ones, *own),
        )
        yield (
            f"requests answer the same in any company, {precision.value}",
            partial(requests_answer_the_same_in_any_company, *own, 60),
        )
    for precision in Precision:
        yield (
            f"kernels are as near as plain functions, {precision.value}",
            partial(kernels_are_as_near_as_plain_functions, device, precision),
        )
    for precision in (Precision.INT8, Precision.INT4):
        yield (
            f"quantised weights equal what they stand for, {precision.value}",
            partial(quantised_weights_equal_what_they_stand_for, device, precision),
        )
    yield (
        "rows are the same wherever they are rounded",
        partial(rows_are_the_same_wherever_they_are_rounded, device),
    )


def main() -> int:
    """Run everything on the GPU: 0 where all passed."""
    failed = 0
    for name, case in cases(torch.device("cuda")):
        try:
            case()
            print(f"passed  {name}", flush=True)
        except Exception:  # noqa: BLE001  # told; the others go on
            failed += 1
            traceback.print_exc()
            print(f"FAILED  {name}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
