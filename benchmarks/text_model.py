"""A text model of the size of DiffusionGemma 26B-A4B, or a tiny one like it, with random weights.

Weights are drawn on the device, tensor by tensor, and each is quantised at once, so that no more
than one is ever held twice; those of experts in int4 are drawn as they are kept, for to quantise
them takes longer than to measure. What a tensor holds depends on the seed, its name and the device
alone.
"""

from __future__ import annotations

import math
import zlib

import torch
from torch import Tensor

from engine.config import LayerConfig, LayerType, ModelConfig, RopeConfig
from engine.model import parameter_shapes
from engine.precision.precision import GROUP, Precision
from engine.precision.quantize import quantize
from engine.precision.weight import Weight
from engine.text.kv_cache import CacheSizes, KVCache
from engine.text.network import TextNetwork
from engine.text.weights import TextWeights

#: By what the command line calls them.
PRECISIONS = {"bf16": Precision.BFLOAT16, **{p.value: p for p in Precision}}
#: That are quantised at once.
_EXPERTS = 16
#: The root mean square of -8..7.
_UNIFORM = 4.64
_ROPE: dict[LayerType, RopeConfig] = {
    "sliding_attention": RopeConfig(rope_type="default", rope_theta=10_000.0),
    "full_attention": RopeConfig(
        rope_type="proportional", rope_theta=1_000_000.0, partial_rotary_factor=0.25
    ),
}


def _layers(count: int, sliding: tuple[int, int], full: tuple[int, int]) -> tuple[LayerConfig, ...]:
    """Five sliding layers, a full one, and again; each as heads of keys and their size."""
    kinds = (("sliding_attention", sliding), ("full_attention", full))
    return tuple(
        LayerConfig(layer_type=kind, num_key_value_heads=sizes[0], head_dim=sizes[1])
        for i in range(count)
        for kind, sizes in [kinds[(i + 1) % 6 == 0]]
    )


SIZES = {
    "full": ModelConfig(
        vocab_size=262_144,
        hidden_size=2816,
        intermediate_size=2112,
        moe_intermediate_size=704,
        num_attention_heads=16,
        num_experts=128,
        top_k_experts=8,
        layers=_layers(30, (8, 256), (2, 512)),
        sliding_window=1024,
        rope=_ROPE,
    ),
    "tiny": ModelConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=48,
        moe_intermediate_size=32,
        num_attention_heads=4,
        num_experts=8,
        top_k_experts=2,
        layers=_layers(6, (2, 16), (1, 32)),
        sliding_window=128,
        rope=_ROPE,
        canvas_length=32,
        max_position_embeddings=4096,
    ),
}


class RandomSource:
    """The ``WeightSource`` of weights that nobody trained."""

    def __init__(
        self, config: ModelConfig, precision: Precision, device: torch.device, seed: int = 0
    ) -> None:
        self._config, self._precision, self._device, self._seed = config, precision, device, seed
        self._shapes = parameter_shapes(config)
        floats = precision is Precision.FLOAT32
        self._dtype = torch.float32 if floats else torch.bfloat16

    def tensor(self, name: str) -> Tensor:
        """See ``WeightSource.tensor``."""
        tensor = torch.empty(self._shapes[name], dtype=self._dtype, device=self._device)
        fill(tensor, name, self._config, self._seed)
        return tensor

    def weight(self, name: str) -> Weight:
        """See ``WeightSource.weight``."""
        if self._precision is Precision.INT4 and len(self._shapes[name]) == 3:
            return self._int4(name)
        tensor = self.tensor(name)
        if tensor.dim() < 3 or self._precision.scale_dtype is None:
            return quantize(tensor, self._precision)
        # A row has scales of its own, so that many experts' rows can go at once, which takes an
        # eighth of the time that one expert after another does.
        parts = [quantize(x.flatten(0, 1), self._precision) for x in tensor.split(_EXPERTS)]
        rows = Weight.join(parts)
        scales = None if rows.scales is None else rows.scales.view(*tensor.shape[:2], -1)
        return Weight(rows.values.view(*tensor.shape[:2], -1), scales)

    def _int4(self, name: str) -> Weight:
        """All 16 values as likely, and scales that leave them as large as others' weights are."""
        *outputs, inputs = self._shapes[name]
        values = torch.randint(
            256,
            (*outputs, inputs // 2),
            generator=seeded(name, self._device, self._seed),
            dtype=torch.uint8,
            device=self._device,
        )
        scales = torch.full(
            (*outputs, -(-inputs // GROUP)),
            self._config.initializer_range / _UNIFORM,
            dtype=torch.bfloat16,
            device=self._device,
        )
        return Weight(values, scales)


def seeded(name: str, device: torch.device, seed: int) -> torch.Generator:
    """What draws a tensor of this name."""
    return torch.Generator(device).manual_seed(seed * 2**32 + zlib.crc32(name.encode()))


def fill(tensor: Tensor, name: str, config: ModelConfig, seed: int = 0) -> None:
    """Draw what a parameter of this name may hold, whoever's the name: Inkfill's, transformers'."""
    generator = seeded(name, tensor.device, seed)
    if tensor.dim() > 1:
        tensor.normal_(0.0, config.initializer_range, generator=generator)
    elif name.endswith("layer_scalar"):
        tensor.fill_(1.0)
    else:
        tensor.normal_(1.0, 0.05, generator=generator)


def random_weights(
    config: ModelConfig, precision: Precision, device: torch.device, seed: int = 0
) -> TextWeights:
    """All of a model."""
    return TextWeights.read(config, RandomSource(config, precision, device, seed))


def random_network(weights: TextWeights, config: ModelConfig, sizes: CacheSizes) -> TextNetwork:
    """A network with an empty cache."""
    return TextNetwork(config, weights, KVCache(config, sizes, weights.dtype, weights.device))


def cache_for(config: ModelConfig, sequences: int, positions: int) -> CacheSizes:
    """Pages for so many sequences of so many positions each, and no more."""
    one = CacheSizes.within(config, torch.bfloat16, 2**40, 1, positions)
    return CacheSizes(sequences, positions, sequences * one.full_pages, one.ring_pages)


def parameters(config: ModelConfig) -> int:
    """How many the model has."""
    return sum(map(math.prod, parameter_shapes(config).values()))
