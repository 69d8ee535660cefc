"""How many sequences a text model can hold at once, from the memory that its weights leave."""

from __future__ import annotations

import torch

from engine.config import ConfigError, ModelConfig
from engine.kernels.soft_embedding import PARTS, ROWS
from engine.text.chunks import Chunks
from engine.text.kv_cache import CacheSizes

#: Of the free memory; the rest is for what the allocator cannot use.
_SHARE = 0.92
#: Bytes for keys and values on a CPU, where the models are small and memory is others' as well.
_CPU_MEMORY = 256 * 2**20
#: Floats a position that a pass holds at its widest, for each of hidden: residual, normed copies,
#: projections, what the experts of a token make of it.
_ACTIVATIONS = 64
#: Bytes of the sets of one canvas's domains.
_FLAGS = 2**24


def capacity(
    config: ModelConfig,
    dtype: torch.dtype,
    device: torch.device,
    chunks: Chunks,
    *,
    max_batch: int,
    max_context: int | None = None,
    share: float = 1.0,
) -> CacheSizes:
    """Decide once, after the weights are loaded, so that load waits and memory never runs out.

    Args:
        config: of the model.
        dtype: of activations, keys and values.
        device: where the weights are.
        chunks: how much is encoded between two steps.
        max_batch: sequences at most.
        max_context: positions of a sequence at most; None for as many as the model knows.
        share: of what is free, for this model; others are opened after it.

    Raises:
        ConfigError: a context that is chosen, or the model's, holds no canvas after a prompt.
        MemoryError: not one short sequence fits.
    """
    context = _context(config, max_context)
    if device.type == "cpu":
        return CacheSizes.within(config, dtype, _CPU_MEMORY, max_batch, context)
    torch.cuda.empty_cache()  # what loading has used and left is free, but the driver cannot know
    free = int(torch.cuda.mem_get_info(device)[0] * _SHARE * share)
    # Recorded steps and passes take their memory from one pool, eager ones from another. Half of
    # all is for steps at most, so that there is always some for what they read.
    memory = free - 2 * encoding_bytes(config, dtype, chunks)
    counts = range(max_batch, 1, -1)
    half = memory // 2
    sequences = next((n for n in counts if 2 * steps_bytes(config, dtype, n) <= half), 1)
    left = memory - 2 * steps_bytes(config, dtype, sequences)
    return CacheSizes.within(config, dtype, left, sequences, context)


def encoding_bytes(config: ModelConfig, dtype: torch.dtype, chunks: Chunks) -> int:
    """Bytes that an encoding pass takes; a recorded one is up to twice its budget wide."""
    tokens = 2 * max(chunks.size, chunks.budget)
    return tokens * _ACTIVATIONS * config.hidden_size * dtype.itemsize


def _context(config: ModelConfig, chosen: int | None) -> int:
    """Positions of a sequence at most, as far as memory does not decide."""
    most = config.max_position_embeddings
    for name, got in (("max_position_embeddings", most), ("max_context", chosen or most)):
        if got <= config.canvas_length:
            raise ConfigError(
                f"{name}: got {got}, accepted: more than {config.canvas_length}, so that a canvas "
                "fits after a prompt"
            )
    return min(chosen or most, most)


def steps_bytes(config: ModelConfig, dtype: torch.dtype, canvases: int) -> int:
    """Bytes that a denoising step of so many canvases takes at its widest."""
    return canvases * step_bytes(config, dtype) + belief_bytes(config, dtype, canvases)


def step_bytes(config: ModelConfig, dtype: torch.dtype) -> int:
    """Bytes of a denoising step that each canvas takes.

    They are its logits, its activations and its domains, of which a request may bring ``_FLAGS``.
    """
    floats = config.vocab_size + _ACTIVATIONS * config.hidden_size
    return config.canvas_length * floats * dtype.itemsize + _FLAGS


def belief_bytes(config: ModelConfig, dtype: torch.dtype, canvases: int) -> int:
    """Bytes of the beliefs that a step of so many canvases holds at a time, and of their sums."""
    rows = min(ROWS, canvases * config.canvas_length)
    sums = PARTS * config.hidden_size * torch.float32.itemsize
    return rows * (config.vocab_size * dtype.itemsize + sums)
