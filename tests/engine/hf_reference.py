"""The reference, in miniature: random DiffusionGemma models from Hugging Face transformers.

Every weight is random, norms and scales too, so that nothing can be left out unnoticed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    DiffusionGemmaTextConfig,
    DynamicCache,
    Gemma4VisionConfig,
)
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    DiffusionGemmaGenerationOutput,
    EntropyBoundSamplerConfig,
)
from transformers.utils import logging

from engine.checkpoint import Checkpoint, load_checkpoint
from engine.generation import GenerationParams
from engine.model import PromptCache
from engine.noise import CounterNoise, stream_keys

logging.disable_progress_bar()
logging.set_verbosity_error()  # the load report of a missing vision tower

Reference = DiffusionGemmaForBlockDiffusion


@dataclass(frozen=True)
class Pair:
    """A reference and what this engine makes of the checkpoint it saved."""

    reference: Reference
    checkpoint: Checkpoint


def random_pair(seed: int, folder: Path, *, carry: float = 1.0) -> Pair:
    """A random reference saved to ``folder``, and loaded from there; see ``random_reference``."""
    reference = random_reference(seed, carry=carry)
    reference.save_pretrained(folder)
    return Pair(reference, load_checkpoint(folder))


def random_reference(seed: int, *, carry: float = 1.0) -> Reference:
    """A tiny reference of random sizes and weights.

    ``carry`` scales what self-conditioning adds. A random network that feeds back into itself at
    full strength is chaotic: rounding grows about threefold a step, whoever computes it.
    """
    config = DiffusionGemmaConfig(
        text_config=_random_sizes(random.Random(seed)),
        vision_config=Gemma4VisionConfig(
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            num_key_value_heads=1,
            head_dim=8,
            global_head_dim=8,
            position_embedding_size=8,
        ),
        canvas_length=random.Random(seed).choice([3, 5, 8]),
        image_token_id=10_000,
    )
    model = Reference._from_config(config, attn_implementation=("eager", "sdpa")[seed % 2])
    _randomise(model, torch.Generator().manual_seed(seed), carry)
    return model.eval().requires_grad_(False)


def _random_sizes(rng: random.Random) -> DiffusionGemmaTextConfig:
    depth, heads, experts = rng.randint(1, 4), rng.choice([2, 4]), rng.choice([1, 2, 5])
    inner = [rng.choice(["sliding_attention", "full_attention"]) for _ in range(depth - 1)]
    return DiffusionGemmaTextConfig(
        vocab_size=rng.choice([19, 40]),
        hidden_size=rng.choice([16, 24]),
        intermediate_size=rng.choice([20, 32]),
        moe_intermediate_size=rng.choice([8, 12]),
        num_hidden_layers=depth,
        layer_types=[*inner, "full_attention"],
        num_attention_heads=heads,
        num_key_value_heads=rng.choice([1, 2, heads]),
        num_global_key_value_heads=rng.choice([None, 1, 2]),
        head_dim=rng.choice([4, 8]),
        global_head_dim=rng.choice([8, 16]),
        num_experts=experts,
        top_k_experts=rng.randint(1, experts),
        sliding_window=rng.choice([4, 7, 64]),
        rms_norm_eps=rng.choice([1e-6, 1e-3]),
        final_logit_softcapping=rng.choice([5.0, 30.0]),
    )


@torch.no_grad()
def _randomise(model: Reference, generator: torch.Generator, carry: float) -> None:
    def near_one(x: Tensor) -> None:
        x.uniform_(0.5, 1.5, generator=generator)

    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            near_one(parameter)
        else:
            parameter.normal_(0, parameter.shape[-1] ** -0.5, generator=generator)
        if name.endswith("self_conditioning.down_proj.weight"):
            parameter.mul_(carry)
    for name, buffer in model.named_buffers():
        if name.endswith("layer_scalar"):
            near_one(buffer)


def empty_cache(reference: Reference, batch: int) -> DynamicCache:
    """A cache that holds nothing, which the reference's decoder accepts as no prompt."""
    text = reference.config.text_config
    cache = DynamicCache(config=text)
    for layer, sizes in zip(cache.layers, text.per_layer_config, strict=True):
        nothing = torch.empty(batch, sizes.num_key_value_heads, 0, sizes.head_dim)
        layer.update(nothing, nothing)
    return cache


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """``||ours - theirs|| / ||theirs||``."""
    return float((ours - theirs).norm() / theirs.norm())


def cache_error(ours: PromptCache, theirs: DynamicCache) -> float:
    """The largest relative error of keys and values that the reference still holds."""
    errors = [0.0]
    for layer, keys, values in zip(theirs.layers, ours.keys, ours.values, strict=True):
        kept = layer.keys.shape[2]  # sliding layers forget all but the last window - 1
        errors.append(relative_error(keys[:, :, keys.shape[2] - kept :], layer.keys))
        errors.append(relative_error(values[:, :, values.shape[2] - kept :], layer.values))
    return max(errors)


@dataclass(frozen=True)
class CounterDraws:
    """The random stream that the engine draws of one sequence with this seed."""

    seed: int

    def __call__(self, block: int, step: int) -> CounterNoise:
        keys = stream_keys(torch.tensor([self.seed]), torch.tensor([block]))
        return CounterNoise(keys, torch.tensor([step]))

    @contextmanager
    def instead_of_torchs(self) -> Iterator[None]:
        """Let the reference, which calls randint and multinomial, draw from this stream.

        It draws a start, then for each step the tokens and the renoise.
        """
        feed = _TorchFeed(self)
        with (
            mock.patch.object(torch, "randint", feed.randint),
            mock.patch.object(torch, "multinomial", feed.multinomial),
        ):
            yield


def generate_with_reference(
    reference: Reference, prompt: Tensor, params: GenerationParams, draws: CounterDraws
) -> DiffusionGemmaGenerationOutput:
    """What the reference generates when it draws from ``draws``."""
    sampling = params.sampling
    with draws.instead_of_torchs():
        return reference.generate(
            prompt,
            max_new_tokens=params.max_new_tokens,
            max_denoising_steps=sampling.max_steps,
            t_min=sampling.t_min,
            t_max=sampling.t_max,
            sampler_config=EntropyBoundSamplerConfig(entropy_bound=sampling.entropy_bound),
            stability_threshold=sampling.stability,
            confidence_threshold=sampling.confidence,
            eos_token_id=list(params.eos_token_ids) or None,
            pad_token_id=params.pad_token_id,
        )


class _TorchFeed:
    def __init__(self, draws: CounterDraws) -> None:
        self.draws, self.block, self.step, self.renoises = draws, -1, 0, False

    def randint(
        self, *, low: int, high: int, size: tuple[int, int], device: torch.device
    ) -> Tensor:
        assert low == 0
        if self.renoises:
            uniform = self.draws(self.block, self.step).renoise(size[1])
            self.renoises = False
        else:
            self.block, self.step = self.block + 1, 0
            uniform = self.draws(self.block, 0).start(size[1])
        return (uniform * high).long().to(device)

    def multinomial(self, probabilities: Tensor, *, num_samples: int) -> Tensor:
        assert num_samples == 1
        self.step, self.renoises = self.step + 1, True
        rows, vocabulary = probabilities.shape
        draws = self.draws(self.block, self.step)
        gumbel = draws.gumbel(rows, vocabulary).flatten(0, 1)
        return (probabilities.log() + gumbel).argmax(dim=-1, keepdim=True)
