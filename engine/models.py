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
from engine.text.kv_cache import KVCache
from engine.text.network import TextNetwork
from engine.text.steppers import text_stepper
from engine.text.text_batch import TextBatch
from engine.text.text_checkpoint import TEXT_TASK, TextCheckpoint
from engine.text.text_lane import TextLane

AnyCheckpoint = Checkpoint | TextCheckpoint

#: Tokens of one sequence that are encoded between two steps, and of all, by kind of device. As
#: many as cost about as much as a step of a few canvases.
_CHUNKS = {"cpu": (128, 128), "cuda": (512, 1024)}


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model at work.

    Attributes:
        info: what callers may know.
        lane: its requests.
        compiled: whether its steps are compiled code for the CPU.
    """

    info: ModelInfo
    lane: Lane
    compiled: bool


def open_models(
    checkpoints: Mapping[str, AnyCheckpoint], limits: EngineLimits
) -> dict[str, LoadedModel]:
    """Make models ready; kernels are compiled on the first start.

    Raises:
        ConfigError: a text model's context is too short for its canvas.
        MemoryError: a text model leaves no memory for a single short sequence.
    """
    with log_compilation():
        models = {name: _open(name, known, limits) for name, known in checkpoints.items()}
        if any(model.compiled for model in models.values()):
            compile_guides()
    return models


def torch_threads(models: Iterable[LoadedModel], limits: EngineLimits) -> int:
    """How many threads torch is given.

    Beside compiled code only small tensors are left to torch, for which its threads would only
    wait for each other.
    """
    if all(model.compiled for model in models):
        return 1
    return limits.threads or min(usable_cores(), torch.get_num_threads())


def _open(name: str, checkpoint: AnyCheckpoint, limits: EngineLimits) -> LoadedModel:
    if isinstance(checkpoint, TextCheckpoint):
        return _open_text(name, checkpoint, limits)
    if checkpoint.config.task == TEXT_TASK:
        return _open_text(name, TextCheckpoint.of(checkpoint), limits)
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
    return LoadedModel(info, CanvasLane(model, fast, limits.max_batch), compiled)


def _open_text(name: str, checkpoint: TextCheckpoint, limits: EngineLimits) -> LoadedModel:
    config, weights = checkpoint.config, checkpoint.weights
    sizes = capacity(config, weights.dtype, weights.device, limits.max_batch, limits.max_context)
    network = TextNetwork(config, weights, KVCache(config, sizes, weights.dtype, weights.device))
    stepper = text_stepper(network)
    batch: TextBatch[Job] = TextBatch(network, stepper, *_CHUNKS[weights.device.type])
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
    return LoadedModel(info, lane, compiled=False)
