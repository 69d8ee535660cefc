"""A text model ready to run, and what is known of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.checkpoint import Checkpoint, StoredCheckpoint
from engine.config import ConfigError, ModelConfig
from engine.generation import GenerationParams
from engine.model import parameter_shapes
from engine.precision.stored import stored_weight
from engine.precision.weight import Weight
from engine.stored_weights import StoredWeights
from engine.text.weights import ModelWeights, TextWeights
from engine.weight_files import CheckpointError

#: The task of checkpoints that generate text.
TEXT_TASK = "text"

#: Dtypes that kernels compute activations in.
_ACTIVATIONS = (torch.float32, torch.bfloat16)
_EMBEDDINGS = "embed_tokens.weight"


@dataclass(frozen=True, eq=False)
class TextCheckpoint:
    """Weights for ``engine.text.network``.

    Attributes:
        config: from ``config.json``.
        weights: on the device.
        parameters: count.
        precision: of the matrices.
        digest: see ``engine.checkpoint.Checkpoint``.
        generation: from ``generation_config.json``, defaults where there is none.
        skipped: stored tensors that this engine has no use for: the vision tower's.
    """

    config: ModelConfig
    weights: TextWeights
    parameters: int
    precision: str
    digest: str
    generation: GenerationParams
    skipped: tuple[str, ...] = ()

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> TextCheckpoint:
        """The same as a checkpoint in memory. Raises: ConfigError, see ``refuse_unservable``."""
        model = checkpoint.model
        refuse_unservable(checkpoint.config)
        return cls(
            config=checkpoint.config,
            weights=TextWeights.read(checkpoint.config, ModelWeights(model)),
            parameters=sum(p.numel() for p in model.parameters()),
            precision=_spelled(model.dtype),
            digest=checkpoint.digest,
            generation=checkpoint.generation,
            skipped=checkpoint.skipped,
        )


def load_text_checkpoint(
    stored: StoredCheckpoint, device: torch.device | str, dtype: torch.dtype | None = None
) -> TextCheckpoint:
    """Read all weights, each straight to the device; no more than a layer is ever held twice.

    Args:
        stored: from ``StoredCheckpoint.open``, quantised or not.
        device: where the weights go.
        dtype: of activations, and of weights that are not quantised; None for that of the stored
            embeddings.

    Raises:
        CheckpointError: activations would be float16, tied copies differ, or a file changed
            meanwhile.
        ConfigError: the configuration asks for what text models have not.
    """
    refuse_unservable(stored.config)
    dtype = dtype or stored.weights.dtype(_EMBEDDINGS)
    if dtype not in _ACTIVATIONS:
        raise CheckpointError(
            f"{_EMBEDDINGS}: got {_spelled(dtype)}, a checkpoint of task 'text' accepts: "
            f"{', '.join(map(_spelled, _ACTIVATIONS))}"
        )
    source = _StoredSource(stored.weights, torch.device(device), dtype)
    weights = TextWeights.read(stored.config, source)
    return TextCheckpoint(
        config=stored.config,
        weights=weights,
        parameters=sum(map(math.prod, parameter_shapes(stored.config).values())),
        precision=weights.precision.value,
        digest=stored.weights.digest(),
        generation=stored.generation,
        skipped=stored.weights.skipped,
    )


class _StoredSource:
    """The ``WeightSource`` of a checkpoint folder."""

    def __init__(self, weights: StoredWeights, device: torch.device, dtype: torch.dtype) -> None:
        self._weights = weights
        self._device = device
        self._dtype = dtype

    def tensor(self, name: str) -> Tensor:
        return self._weights.tensor(name, self._device, self._dtype)

    def weight(self, name: str) -> Weight:
        return stored_weight(self._weights, name, self._device, self._dtype)


def refuse_unservable(config: ModelConfig) -> None:
    """Refuse what a small model may have and a text model may not.

    Raises:
        ConfigError: naming the key.
    """
    if config.relations.names:
        raise ConfigError("relations: a checkpoint of task 'text' has none, accepted: none")
    if config.positions != "rotary":
        raise ConfigError(
            f"positions: got {config.positions!r}, a checkpoint of task 'text' accepts: 'rotary'"
        )
    if config.first_belief != "zero":
        raise ConfigError(
            f"first_belief: got {config.first_belief!r}, a checkpoint of task 'text' accepts: "
            "'zero'"
        )


def _spelled(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
