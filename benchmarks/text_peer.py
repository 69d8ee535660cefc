"""How fast transformers denoises, on the same configuration with weights drawn alike.

Its ``DiffusionGemmaForBlockDiffusion.generate`` compiles its encoder, decoder and sampler with
CUDA graphs as soon as it is given a static cache, unless ``disable_compile`` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.device_time import Marks, rate, seconds
from benchmarks.text_model import fill
from engine.config import ModelConfig
from engine.config_json import config_to_json

#: Above 0, as it must be, and below the entropy of any step of random weights.
_NEVER = 1e-30
#: Steps of the canvases of the warm-up, in which it compiles.
_WARM_UP = 2


class Peer:
    """A model of transformers at work."""

    def __init__(
        self, config: ModelConfig, device: torch.device, *, batch: int, prompt: int, canvases: int
    ) -> None:
        """Draw the weights.

        Args:
            config: sizes.
            device: where it runs.
            batch: sequences.
            prompt: tokens of each.
            canvases: that follow at the most.
        """
        self._config, self._device = config, device
        self._canvases, self._tokens = canvases, _random_tokens(config, device, batch, prompt)
        self._model = _random_model(config, device)
        self._marks: Marks | None = None
        self._watch()

    def prepare(self, *, static: bool) -> None:
        """Generate once, not compiled.

        Leaves a static cache as long as it will ever be, for steps are compiled for this length.
        """
        self._generate(1, self._canvases, compiled=False, static=static)

    def warm_up(self, *, compiled: bool) -> None:
        """Have a step run, and compile it, which leaves the device idle most of the time."""
        for _ in range(2):
            self._generate(_WARM_UP, 1, compiled=compiled, static=compiled)

    def step_times(self, steps: int, *, compiled: bool) -> list[float]:
        """Milliseconds from the start of a step to the start of the next, but the first."""
        self._marks = Marks(self._device)
        self._generate(steps, 1, compiled=compiled, static=compiled)
        times, self._marks = self._marks.intervals(), None
        return times[1:]

    def warm_up_commits(self, *, compiled: bool) -> None:
        """The same of what lies between canvases."""
        self._generate(_WARM_UP, self._canvases, compiled=compiled, static=compiled)

    def tokens_per_second(self, steps: int, *, compiled: bool) -> float:
        """See ``benchmarks.text_speed.tokens_per_second``; ``warm_up_commits`` comes before."""

        def generate(count: int) -> float:
            return seconds(
                self._device,
                lambda: self._generate(steps, count, compiled=compiled, static=compiled),
            )

        few, many = generate(1), generate(self._canvases)
        positions = len(self._tokens) * self._config.canvas_length
        return rate((self._canvases - 1) * positions, few, many)

    def _generate(self, steps: int, canvases: int, *, compiled: bool, static: bool) -> None:
        options: dict[str, Any] = {"cache_implementation": "static"} if static else {}
        self._model.generate(
            self._tokens,
            max_new_tokens=canvases * self._config.canvas_length,
            max_denoising_steps=steps,
            confidence_threshold=_NEVER,
            disable_compile=not compiled,
            **options,
        )

    def _watch(self) -> None:
        """Have every step of a model mark when it begins."""
        step: Callable[..., Any] = self._model._denoising_step

        def marked(**arguments: Any) -> Any:
            if self._marks is not None:
                self._marks.mark()
            return step(**arguments)

        self._model._denoising_step = marked


def _random_tokens(config: ModelConfig, device: torch.device, batch: int, prompt: int) -> Tensor:
    generator = torch.Generator(device).manual_seed(batch)
    shape = batch, prompt
    return torch.randint(config.vocab_size, shape, generator=generator, device=device)


def _random_model(config: ModelConfig, device: torch.device) -> Any:
    """Made without memory first, so that weights which are tied are never there twice."""
    from transformers import DiffusionGemmaConfig, DiffusionGemmaForBlockDiffusion

    wanted = DiffusionGemmaConfig.from_dict(config_to_json(config))
    with torch.device("meta"):
        model = DiffusionGemmaForBlockDiffusion._from_config(wanted, dtype=torch.bfloat16)
    model.tie_weights()
    model.model.encoder.vision_tower = model.model.encoder.embed_vision = nn.Identity()
    drawn: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                if id(parameter) not in drawn:
                    empty = torch.empty_like(parameter, device=device)
                    drawn[id(parameter)] = nn.Parameter(empty, requires_grad=False)
                module._parameters[name] = drawn[id(parameter)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty_like(buffer, device=device)
        if any(buffer is not None for buffer in module._buffers.values()):
            model._init_weights(module)
    for name, parameter in model.named_parameters():
        fill(parameter.data, name, config)
    for name, buffer in model.named_buffers():
        if name.endswith("layer_scalar"):  # which transformers leaves to the checkpoint
            fill(buffer, name, config)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = None
    return model.eval()
