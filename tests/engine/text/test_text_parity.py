"""Texts equal those of transformers' generate token for token, alone and in mixed batches."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.canvas import SamplingParams
from engine.generation import GenerationParams
from engine.text.request import TextFinish, TextRequest, TextResult
from tests.engine.hf_reference import CounterDraws, Reference, generate_with_reference, random_pair
from tests.engine.text.running import run, text_batch

pytestmark = [
    pytest.mark.parity,
    # The reference marks steps for CUDA graphs, which imports old TorchScript inside PyTorch.
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
]

SAMPLING = {
    "published": SamplingParams(max_steps=12),
    "confident at once": SamplingParams(max_steps=12, confidence=2.0, stability=0),
    "stable": SamplingParams(max_steps=12, t_min=0.1, t_max=0.3, confidence=3.0),
    "stable twice": SamplingParams(max_steps=12, t_min=0.1, t_max=0.3, confidence=3.0, stability=2),
    "bold": SamplingParams(max_steps=7, entropy_bound=3.0, confidence=1.0),
}


def reference_text(reference: Reference, request: TextRequest) -> list[int]:
    """What transformers generates under the same draws, cut where the engine cuts."""
    params = GenerationParams(
        sampling=request.sampling,
        max_new_tokens=request.max_tokens,
        eos_token_ids=request.eos_token_ids,
        pad_token_id=None,
    )
    prompt = torch.tensor([request.prompt])
    draws = CounterDraws(request.seed)
    whole = generate_with_reference(reference, prompt, params, draws).sequences[0]
    said = whole[len(request.prompt) :].tolist()[: request.max_tokens]
    ends = [i for i, token in enumerate(said) if token in request.eos_token_ids]
    return said[: ends[0]] if ends else said


@pytest.mark.parametrize("seed", range(8))
def test_texts_equal_the_reference_alone_and_in_mixed_batches(seed: int, tmp_path: Path) -> None:
    pair = random_pair(seed, tmp_path, carry=0.1)
    config, chooser = pair.checkpoint.config, random.Random(seed)
    requests = [
        TextRequest(
            prompt=tuple(chooser.randrange(config.vocab_size) for _ in range(length)),
            max_tokens=chooser.randrange(1, 3 * config.canvas_length + 1),
            sampling=sampling,
            seed=chooser.randrange(1000),
            eos_token_ids=tuple(chooser.sample(range(config.vocab_size), ends)),
        )
        for sampling in SAMPLING.values()
        for length, ends in ((1, 0), (9, 1), (70, 3))
    ]
    expected = [reference_text(pair.reference, request) for request in requests]
    batch = text_batch(pair.checkpoint)
    alone = [run(batch, [request]).results[0] for request in requests]
    mixed = run(batch, requests, [chooser.randrange(10) for _ in requests]).results
    for request, said, *ours in zip(requests, expected, alone, mixed, strict=True):
        for result in ours:
            assert isinstance(result, TextResult)
            assert result.tokens.tolist() == said
            ended = len(said) < request.max_tokens
            assert result.finish is (TextFinish.END_OF_TEXT if ended else TextFinish.MAX_TOKENS)
        assert np.array_equal(ours[0].entropy, ours[1].entropy)
