"""From checkpoints to models at work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from engine.canvas_lane import CanvasLane
from engine.checkpoint import Checkpoint
from engine.client import ModelInfo
from engine.cores import usable_cores
from engine.job import Job
from engine.kernels.compilation import log_compilation
from engine.kernels.cpu_decoder import supports_model
from engine.kernels.cpu_guide import compile_guides
from engine.kernels.cpu_stepper import CpuStepper
from engine.lane import Lane
from engine.limits import EngineLimits
from engine.text.capacity import capacity
from engine.text.chunks import Chunks
from engine.text.kv_cache import KVCache
from engine.text.network import TextNetwork
from engine.text.steppers import text_stepper
from engine.text.text_batch import TextBatch
from engine.text.text_checkpoint import TEXT_TASK, TextCheckpoint
from engine.text.text_lane import TextLane

AnyCheckpoint = Checkpoint | TextCheckpoint

#: Parameters; torch's threads spend more time on each other than on smaller models.
_WORTH_THREADS = 20_000_000


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model at work.

    Attributes:
        info: what callers may know.
        lane: its requests.
        compiled: whether its steps are compiled code for the CPU.
        threaded: whether torch computes its steps faster with several threads.
    """

    info: ModelInfo
    lane: Lane
    compiled: bool
    threaded: bool


def open_models(
    checkpoints: Mapping[str, AnyCheckpoint], limits: EngineLimits
) -> dict[str, LoadedModel]:
    """Make models ready; kernels are compiled on the first start.

    Raises:
        ConfigError: a text model's context is too short for its canvas.
        MemoryError: a text model leaves no memory for a single short sequence.
    """
    with log_compilation():
        models = {}
        texts = sum(known.config.task == TEXT_TASK for known in checkpoints.values())
        for name, known in checkpoints.items():
            models[name] = _open(name, known, limits, 1 / max(1, texts))
            texts -= known.config.task == TEXT_TASK
        if any(model.compiled for model in models.values()):
            compile_guides()
    return models


def torch_threads(models: Iterable[LoadedModel], limits: EngineLimits) -> int:
    """How many threads torch is given: one where only small tensors are left to it."""
    if not any(model.threaded for model in models):
        return 1
    return limits.threads or min(usable_cores(), torch.get_num_threads())


def _open(name: str, checkpoint: AnyCheckpoint, limits: EngineLimits, share: float) -> LoadedModel:
    if isinstance(checkpoint, TextCheckpoint):
        return _open_text(name, checkpoint, limits, share)
    if checkpoint.config.task == TEXT_TASK:
        return _open_text(name, TextCheckpoint.of(checkpoint), limits, share)
    return _open_canvas(name, checkpoint, limits)


def _open_canvas(name: str, checkpoint: Checkpoint, limits: EngineLimits) -> LoadedModel:
    config, model = checkpoint.config, checkpoint.model
    compiled = supports_model(model)
    fast = CpuStepper(model, limits.threads or usable_cores()) if compiled else None
    info = ModelInfo(
        name=name,
        task=config.task,
        parameters=sum(p.numel() for p in model.parameters()),
        weights_digest=checkpoint.digest,
        device=str(model.device),
        precision=str(model.dtype).removeprefix("torch."),
        canvas_length=config.canvas_length,
        vocabulary=config.vocab_size,
        max_batch=limits.max_batch,
        max_queue=limits.max_queue,
    )
    lane = CanvasLane(model, fast, limits.max_batch)
    threaded = not compiled and _is_threaded(model.device, info.parameters)
    return LoadedModel(info, lane, compiled=compiled, threaded=threaded)


def _open_text(
    name: str, checkpoint: TextCheckpoint, limits: EngineLimits, share: float
) -> LoadedModel:
    """A text model with its share of the memory that is free, of which it takes what it can use."""
    config, weights = checkpoint.config, checkpoint.weights
    chunks = Chunks.on(weights.device)
    sizes = capacity(
        config,
        weights.dtype,
        weights.device,
        chunks,
        max_batch=limits.max_batch,
        max_context=limits.max_context,
        share=share,
    )
    network = TextNetwork(config, weights, KVCache(config, sizes, weights.dtype, weights.device))
    stepper = text_stepper(network)
    batch: TextBatch[Job] = TextBatch(network, stepper, chunks)
    info = ModelInfo(
        name=name,
        task=config.task,
        parameters=checkpoint.parameters,
        weights_digest=checkpoint.digest,
        device=str(weights.device),
        precision=checkpoint.precision,
        canvas_length=config.canvas_length,
        vocabulary=config.vocab_size,
        max_batch=sizes.sequences,
        max_queue=limits.max_queue,
        max_context=sizes.max_context,
    )
    lane = TextLane(config, batch, sizes.sequences, sizes.max_context)
    threaded = _is_threaded(weights.device, checkpoint.parameters)
    return LoadedModel(info, lane, compiled=False, threaded=threaded)


def _is_threaded(device: torch.device, parameters: int) -> bool:
    return device.type == "cpu" and parameters >= _WORTH_THREADS
