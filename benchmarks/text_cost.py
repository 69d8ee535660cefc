"""What a denoising step of a text model must move and do at the least, whoever computes it.

Shapes: B canvases, L positions of each, all free, P positions before them, V tokens, D hidden.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from engine.config import ModelConfig
from engine.model import parameter_shapes
from engine.precision.precision import Precision
from engine.precision.quantization import Quantization, is_quantized
from engine.text.capacity import encoding_bytes, steps_bytes
from engine.text.chunks import Chunks
from engine.text.kv_cache import CacheSizes

_TABLE = "embed_tokens.weight"


@dataclass(frozen=True)
class Ceilings:
    """What a device was measured to do.

    Attributes:
        bandwidth: bytes a second, read and written.
        arithmetic: operations a second, of products in bfloat16.
    """

    bandwidth: float
    arithmetic: float


@dataclass(frozen=True)
class StepCost:
    """Of one step of a batch, in bytes and operations.

    Attributes:
        weights: bytes.
        table: bytes of embeddings.
        cache: bytes of keys and values.
        logits: bytes.
        operations: multiplications and additions.
    """

    weights: float
    table: float
    cache: float
    logits: float
    operations: float

    @property
    def bytes(self) -> float:
        """All that is moved."""
        return self.weights + self.table + self.cache + self.logits

    def memory_ms(self, ceilings: Ceilings) -> float:
        """The time that moving takes at the least."""
        return 1e3 * self.bytes / ceilings.bandwidth

    def arithmetic_ms(self, ceilings: Ceilings) -> float:
        """The time that computing takes at the least."""
        return 1e3 * self.operations / ceilings.arithmetic


def step_cost(
    config: ModelConfig, precision: Precision, batch: int, past: int, experts: float | None = None
) -> StepCost:
    """Count a step.

    Moved: every weight that is used, once, in the precision that it is kept in, with its scales;
    the table of embeddings twice, for the head and for the soft embeddings; keys and values of each
    canvas's past, as far as its layers see it; logits in the dtype of activations, written once,
    read by the head, and read by the soft embeddings, which cannot begin before the head has ended.
    Not counted: activations between kernels, which caches hold at best, and rows of the table that
    tokens look up.

    Done: products, two operations for each weight and token, of ``top_k_experts`` experts; the head
    and the soft embeddings, over the whole vocabulary; scores and sums of attention. All of it in
    bfloat16, however weights are kept. Not counted: norms, activations, exponentials.

    Args:
        config: of the model.
        precision: of the matrices.
        batch: B.
        past: P.
        experts: of a layer that are visited, on average; None for all.
    """
    visited = config.num_experts if experts is None else experts
    shapes = parameter_shapes(config)
    weights = sum(
        nbytes(name, shape, precision)
        * (visited / config.num_experts if ".experts." in name else 1)
        for name, shape in shapes.items()
        if name != _TABLE
    )
    positions = batch * config.canvas_length
    floats = activations(precision).itemsize
    return StepCost(
        weights=weights,
        table=2 * nbytes(_TABLE, shapes[_TABLE], precision),
        cache=batch * _cache_bytes(config, past, floats),
        logits=3 * positions * config.vocab_size * floats,
        operations=positions * (2 * visited_weights(config) + _attention(config, past)),
    )


def weight_bytes(config: ModelConfig, precision: Precision) -> int:
    """Of all parameters, each once."""
    return sum(nbytes(name, x, precision) for name, x in parameter_shapes(config).items())


def workspace_bytes(config: ModelConfig, precision: Precision, sizes: CacheSizes) -> dict[str, int]:
    """What a model takes beside its weights on a GPU, as ``engine.text.capacity`` counts it.

    Of steps and of encoding twice: recorded and eager ones have memory of their own.
    """
    dtype = activations(precision)
    return {
        "cache": sizes.bytes(config, dtype),
        "steps": 2 * steps_bytes(config, dtype, sizes.sequences),
        "encoding": 2 * encoding_bytes(config, dtype, Chunks.on(torch.device("cuda"))),
    }


def activations(precision: Precision) -> torch.dtype:
    """What is computed with."""
    return torch.float32 if precision is Precision.FLOAT32 else torch.bfloat16


def nbytes(name: str, shape: tuple[int, ...], precision: Precision) -> int:
    """Of a parameter as it is kept."""
    if precision.scale_dtype is not None and is_quantized(name):
        return Quantization(precision).nbytes(shape)
    return math.prod(shape) * activations(precision).itemsize


def visited_weights(config: ModelConfig) -> int:
    """Weights that a token is multiplied with; those of the table twice."""
    share = config.top_k_experts / config.num_experts
    used = (
        math.prod(shape) * (share if ".experts." in name else 2 if name == _TABLE else 1)
        for name, shape in parameter_shapes(config).items()
        if len(shape) > 1
    )
    return round(sum(used))


def _attention(config: ModelConfig, past: int) -> int:
    """Operations of a position, in all layers: a score and a sum for each that it sees."""
    seen = [(layer, _seen(config, layer.is_sliding, past)) for layer in config.layers]
    return sum(
        4 * config.num_attention_heads * layer.head_dim * (before + config.canvas_length)
        for layer, before in seen
    )


def _cache_bytes(config: ModelConfig, past: int, floats: int) -> int:
    return (
        sum(
            2 * layer.num_key_value_heads * layer.head_dim * _seen(config, layer.is_sliding, past)
            for layer in config.layers
        )
        * floats
    )


def _seen(config: ModelConfig, sliding: bool, past: int) -> int:
    """Positions before a canvas that a layer sees."""
    return min(past, config.sliding_window - 1) if sliding else past
