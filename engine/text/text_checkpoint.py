"""A text model ready to run, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.checkpoint import Checkpoint
from engine.config import ConfigError, ModelConfig
from engine.generation import GenerationParams
from engine.text.weights import ModelWeights, TextWeights

#: The task of checkpoints that generate text.
TEXT_TASK = "text"


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

    def __post_init__(self) -> None:
        refuse_unservable(self.config)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> TextCheckpoint:
        """The same as a checkpoint in memory."""
        model = checkpoint.model
        return cls(
            config=checkpoint.config,
            weights=TextWeights.read(checkpoint.config, ModelWeights(model)),
            parameters=sum(p.numel() for p in model.parameters()),
            precision=str(model.dtype).removeprefix("torch."),
            digest=checkpoint.digest,
            generation=checkpoint.generation,
            skipped=checkpoint.skipped,
        )


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
