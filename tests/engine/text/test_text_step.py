"""A step of the text path is the dense sampler's on the reference network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.attention import plan_attention, prompt_visibility
from engine.canvas import FREE, CanvasRequest, SamplingParams
from engine.domain import ANYTHING, Domain
from engine.domain_sets import DomainSets
from engine.model import DiffusionGemma
from engine.sampler import StepResult, denoise_step
from engine.text.kv_cache import CacheSizes, KVCache
from engine.text.network import Past, TextNetwork
from engine.text.state import TextState, first_text_state
from engine.text.step import EagerTextStepper, Surroundings
from engine.text.weights import ModelWeights, TextWeights
from tests.engine.factories import plain_model

VOCABULARY, LENGTH = 40, 6
PROMPTS = ((7, 8, 9) * 30, (1, 2))


def requests() -> list[CanvasRequest]:
    """A free canvas, and one with clamps, two domains, and one of a single token."""
    sets = np.zeros((3, VOCABULARY), np.bool_)
    sets[0, [3, 4, 5]] = True
    sets[1, 20:] = True
    sets[2, 7] = True
    return [
        CanvasRequest(clamps=np.full(LENGTH, FREE), seed=1, sampling=SamplingParams(max_steps=5)),
        CanvasRequest(
            clamps=np.array([FREE, 4, FREE, 25, FREE, FREE]),
            domain=Domain.of_sets(sets, np.array([0, 0, 1, 1, ANYTHING, 2])),
            seed=2,
            sampling=SamplingParams(max_steps=9, entropy_bound=5.0),
        ),
    ]


def reference_steps(model: DiffusionGemma, state: TextState, count: int) -> list[StepResult]:
    """Each canvas by itself after its prompt: steps with a whole belief in between."""
    masks = [torch.from_numpy(r.full_domain(VOCABULARY)) for r in requests()]
    steps: list[list[StepResult]] = []
    for row, prompt in enumerate(PROMPTS):
        _, cache = model.encode(torch.tensor([prompt]))
        visible = prompt_visibility(model.config, cache.lengths, LENGTH)
        plan = plan_attention(model.config, None, model.device, visible)
        alone, mask = state.keep(torch.tensor([row])), masks[row][None]
        single = mask.sum(dim=-1, keepdim=True) == 1
        belief = (mask & single).float()
        taken = []
        for _ in range(count):
            logits = model.decode(alone.canvas, belief, plan, cache)
            step = denoise_step(logits, mask, alone.settings, alone.noise)
            taken.append(step)
            belief = step.belief
            alone = replace(alone, canvas=step.canvas, **alone.progress(step.draft))
        steps.append(taken)
    return [join(rows) for rows in zip(*steps, strict=True)]


def join(rows: tuple[StepResult, ...]) -> StepResult:
    names = ("belief", "canvas", "draft", "accepted", "entropy", "candidate_mass")
    return StepResult(**{n: torch.cat([getattr(row, n) for row in rows]) for n in names})


@pytest.mark.parametrize("seed", range(3))
def test_steps_equal_the_dense_samplers_on_the_reference_network(seed: int) -> None:
    model = plain_model(seed, vocab_size=VOCABULARY, canvas_length=LENGTH, initializer_range=0.1)
    weights = TextWeights.read(model.config, ModelWeights(model))
    sizes = CacheSizes(sequences=2, max_context=128, full_pages=4, ring_pages=2)
    network = TextNetwork(
        model.config, weights, KVCache(model.config, sizes, weights.dtype, weights.device)
    )
    stepper = EagerTextStepper(network)
    pages = {
        "full_attention": torch.tensor([[0, 1], [2, 3]], dtype=torch.int32),
        "sliding_attention": torch.tensor([[3, 1], [0, 2]], dtype=torch.int32),
    }
    nothing = torch.zeros(2, dtype=torch.int32)
    stepper.encode(PROMPTS, Past(nothing, pages))  # type: ignore[arg-type]
    cached = torch.tensor([len(p) for p in PROMPTS], dtype=torch.int32)
    parts = [r.domain and DomainSets.of(r.domain, LENGTH, weights.device) for r in requests()]
    domain = DomainSets.join(parts, LENGTH, weights.device)
    state = first_text_state(requests(), LENGTH, weights.embeddings.values, domain)
    around = Surroundings.of(Past(cached, pages), state.free, domain)  # type: ignore[arg-type]
    for expected in reference_steps(model, state, 4):
        moved = stepper.step(state, around)
        step, state = moved.step, moved.state
        for name in ("canvas", "draft", "accepted"):
            assert torch.equal(getattr(step, name), getattr(expected, name)), name
        torch.testing.assert_close(step.entropy, expected.entropy, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(
            step.candidate_mass, expected.candidate_mass, atol=1e-4, rtol=1e-4
        )
        embedded = expected.belief @ weights.embeddings.values
        torch.testing.assert_close(step.signal, embedded, atol=1e-4, rtol=1e-4)
