"""Whole generations: prompt in, canvas after canvas out, the way the reference does it.

Encode the prompt; denoise a canvas until its argmax stands still and is sure of itself; append
it, encode it, and start the next one, until an end token or the budget. Knows one batch of
equally long prompts from start to end; ``engine.batcher`` is for canvases that come and go.

Shapes: B sequences, S prompt tokens, L canvas positions, V tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from engine.attention import AttentionPlan, plan_attention, prompt_visibility
from engine.canvas import SamplingParams
from engine.config import ModelConfig
from engine.model import DiffusionGemma, PromptCache
from engine.noise import CounterNoise, Noise, stream_keys
from engine.sampler import (
    StepSettings,
    confident,
    denoise_step,
    draw_from_domain,
    temperature_at,
)

_SAMPLER = "EntropyBoundSamplerConfig"


class CanvasNoise(Noise, Protocol):
    """Draws of one canvas: those of a step, and those of its first tokens."""

    def start(self, length: int) -> Tensor:
        """Uniform draws in (0, 1) that choose the first canvas, float32 [B, L]."""


#: (block, step) -> its draws. Blocks count from 0; step 0 starts a canvas, steps from 1 denoise.
NoiseAt = Callable[[int, int], CanvasNoise]


@dataclass(frozen=True, kw_only=True)
class GenerationParams:
    """How to generate; a checkpoint's defaults are its ``generation_config.json``.

    Attributes:
        sampling: of every canvas.
        max_new_tokens: rounded up to whole canvases.
        eos_token_ids: each ends its sequence.
        pad_token_id: what follows an end token; None leaves the canvas as it is.
    """

    sampling: SamplingParams = field(default_factory=SamplingParams)
    max_new_tokens: int = 256
    eos_token_ids: tuple[int, ...] = ()
    pad_token_id: int | None = None

    @classmethod
    def from_json(cls, data: dict[str, Any], config: ModelConfig) -> GenerationParams:
        """Read a ``generation_config.json``; what is absent or null falls to the defaults.

        Raises:
            ValueError: a value out of range, or a sampler other than the entropy-bound one.
        """
        sampler = data.get("sampler_config") or {}
        if sampler.get("_cls_name", _SAMPLER) != _SAMPLER:
            raise ValueError(
                f"sampler_config._cls_name: got {sampler['_cls_name']!r}, accepted: {_SAMPLER!r}"
            )
        given = {
            "max_steps": data.get("max_denoising_steps"),
            "t_min": data.get("t_min"),
            "t_max": data.get("t_max"),
            "entropy_bound": sampler.get("entropy_bound"),
            "stability": data.get("stability_threshold"),
            "confidence": data.get("confidence_threshold"),
        }
        eos, pad = data.get("eos_token_id"), data.get("pad_token_id")
        return cls(
            sampling=SamplingParams(**{k: v for k, v in given.items() if v is not None}),
            max_new_tokens=data.get("max_new_tokens") or cls.max_new_tokens,
            eos_token_ids=config.eos_token_id if eos is None else _as_tuple(eos),
            pad_token_id=config.pad_token_id if pad is None else pad,
        )

    def to_json(self) -> dict[str, Any]:
        """The same as transformers reads it.

        It refuses a confidence of 0 and a ``t_max`` equal to ``t_min``, which Inkfill accepts.
        """
        return {
            "max_new_tokens": self.max_new_tokens,
            "max_denoising_steps": self.sampling.max_steps,
            "t_min": self.sampling.t_min,
            "t_max": self.sampling.t_max,
            "sampler_config": {
                "_cls_name": _SAMPLER,
                "entropy_bound": self.sampling.entropy_bound,
            },
            "stability_threshold": self.sampling.stability,
            "confidence_threshold": self.sampling.confidence,
            "eos_token_id": list(self.eos_token_ids),
            "pad_token_id": self.pad_token_id,
        }


@dataclass(frozen=True, eq=False)
class Generation:
    """What ``generate`` returns.

    Attributes:
        tokens: int64 [B, N], the new tokens, N a multiple of L.
        passes: int64 [B], decoder passes spent on each sequence while it was unfinished.
        ended: bool [B], whether an end token was met.
    """

    tokens: Tensor
    passes: Tensor
    ended: Tensor


def counter_noise(seeds: Tensor) -> NoiseAt:
    """Noise from counters for one int64 seed a sequence, [B]; a block is a stream of its own."""

    def noise_at(block: int, step: int) -> CanvasNoise:
        keys = stream_keys(seeds, torch.full_like(seeds, block))
        return CounterNoise(keys, torch.full_like(seeds, step))

    return noise_at


@torch.inference_mode()
def generate(
    model: DiffusionGemma, prompt: Tensor, params: GenerationParams, noise_at: NoiseAt
) -> Generation:
    """Generate canvas after canvas.

    Args:
        model: without relations.
        prompt: int64 [B, S], equally long prompts; S may be 0.
        params: how.
        noise_at: the draws of every block and step.
    """
    batch = len(prompt)
    ended = torch.zeros(batch, dtype=torch.bool, device=prompt.device)
    passes = torch.zeros(batch, dtype=torch.int64, device=prompt.device)
    cache: PromptCache | None = None
    pending, blocks = prompt, list[Tensor]()
    for block in range(math.ceil(params.max_new_tokens / model.config.canvas_length)):
        if pending.shape[1]:
            _, cache = model.encode(pending, cache)
        canvas, steps = denoise_canvas(
            model, cache, batch, params.sampling, partial(noise_at, block)
        )
        passes += steps * ~ended
        pending, ended = _end(canvas, ended, params)
        blocks.append(pending)
        if ended.all():
            break
    return Generation(torch.cat(blocks, dim=1), passes, ended)


def denoise_canvas(
    model: DiffusionGemma,
    cache: PromptCache | None,
    batch: int,
    sampling: SamplingParams,
    noise_at: Callable[[int], CanvasNoise],
) -> tuple[Tensor, Tensor]:
    """Denoise one canvas a sequence until each is stable and confident or has spent its steps.

    A canvas that has stopped keeps its draft while the others go on.

    Returns:
        The last argmax canvases, int64 [B, L], and the decoder passes of each, int64 [B].
    """
    config, device = model.config, model.device
    plan = _plan(config, cache, device)
    canvas = draw_from_domain(noise_at(0).start(config.canvas_length), None, config.vocab_size)
    belief = _first_belief(config, canvas)
    draft = torch.full_like(canvas, -1)
    running = torch.ones(batch, dtype=torch.bool, device=device)
    unchanged, passes = (torch.zeros(batch, dtype=torch.int64, device=device) for _ in range(2))
    for number in range(1, sampling.max_steps + 1):
        passes += running
        logits = model.decode(canvas, belief, plan, cache)
        settings = _settings(sampling, number, batch, device)
        step = denoise_step(logits, None, settings, noise_at(number))
        canvas, belief = step.canvas, step.belief
        unchanged = torch.where((step.draft == draft).all(dim=-1), unchanged + 1, 0)
        draft = torch.where(running[:, None], step.draft, draft)
        sure = confident(
            step.entropy,
            torch.full((batch,), sampling.confidence, device=device),
            torch.ones_like(canvas, dtype=torch.bool),
        )
        running &= ~(sure & (unchanged >= sampling.stability))
        if not running.any():
            break
    return draft, passes


def _plan(config: ModelConfig, cache: PromptCache | None, device: torch.device) -> AttentionPlan:
    visible = None
    if cache is not None:
        visible = prompt_visibility(config, cache.lengths, config.canvas_length)
    return plan_attention(config, None, device, visible)


def _first_belief(config: ModelConfig, canvas: Tensor) -> Tensor | None:
    if config.first_belief == "zero":
        return None
    shape = (*canvas.shape, config.vocab_size)
    return torch.full(shape, 1 / config.vocab_size, device=canvas.device)


def _settings(
    sampling: SamplingParams, number: int, batch: int, device: torch.device
) -> StepSettings:
    """The knobs of step ``number``, the same for every canvas."""

    def column(value: float) -> Tensor:
        return torch.full((batch,), float(value), device=device)

    remaining = sampling.max_steps - number + 1
    temperature = temperature_at(
        column(remaining),
        column(sampling.max_steps),
        column(sampling.t_min),
        column(sampling.t_max),
    )
    return StepSettings(temperature, column(sampling.entropy_bound))


def _end(canvas: Tensor, ended: Tensor, params: GenerationParams) -> tuple[Tensor, Tensor]:
    """Pad what follows an end token; also tell which sequences have ended, bool [B]."""
    ends = torch.tensor(params.eos_token_ids, dtype=torch.int64, device=canvas.device)
    is_end = torch.isin(canvas, ends)
    after = ((is_end.cumsum(dim=-1) - is_end.long()) > 0) | ended[:, None]
    if params.pad_token_id is not None:
        canvas = canvas.masked_fill(after, params.pad_token_id)
    return canvas, ended | is_end.any(dim=-1)


def _as_tuple(value: int | list[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)
