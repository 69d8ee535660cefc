"""Small models and requests for tests of the engine."""

import numpy as np
import torch

from engine.canvas import FREE, CanvasRequest, SamplingParams
from engine.checkpoint import Checkpoint
from engine.config import LayerConfig, ModelConfig, RelationConfig
from engine.constraints import AllDifferent
from engine.domain import Domain
from engine.generation import GenerationParams
from engine.model import DiffusionGemma
from engine.relations import Relations

LATIN = 4  # a Latin square of side 4: rows and columns all different
CELLS = LATIN * LATIN
VOCABULARY = LATIN + 1


def latin_relations() -> Relations:
    row, column = np.divmod(np.arange(CELLS), LATIN)
    return Relations(
        CELLS,
        {"row": row[:, None] == row[None, :], "column": column[:, None] == column[None, :]},
    )


def latin_constraint() -> AllDifferent:
    grid = np.arange(CELLS).reshape(LATIN, LATIN)
    return AllDifferent(CELLS, np.concatenate([grid, grid.T]))


def small_config(**changes: object) -> ModelConfig:
    heads = ("row", "column", "all", "all")
    layers = (
        LayerConfig(layer_type="sliding_attention", head_dim=8, num_key_value_heads=4),
        LayerConfig(layer_type="full_attention", head_dim=8, num_key_value_heads=4),
    )
    values: dict[str, object] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 32,
        "moe_intermediate_size": 16,
        "num_attention_heads": 4,
        "num_experts": 1,
        "top_k_experts": 1,
        "layers": layers,
        "sliding_window": 16,
        "canvas_length": 64,
        "initializer_range": 0.2,
        "relations": RelationConfig(
            names=("row", "column"),
            heads={"sliding_attention": heads, "full_attention": heads},
        ),
        "positions": "none",
        "first_belief": "uniform",
        "task": "latin",
    }
    return ModelConfig(**(values | changes))  # type: ignore[arg-type]


def small_model(seed: int = 0, **changes: object) -> DiffusionGemma:
    model = DiffusionGemma(small_config(**changes))
    model.init_weights(torch.Generator().manual_seed(seed))
    return model.requires_grad_(False).eval()


def plain_model(seed: int = 0, **changes: object) -> DiffusionGemma:
    """A text model: without relations, with rotary positions, it takes prompts."""
    plain: dict[str, object] = {"positions": "rotary", "first_belief": "zero", "task": "text"}
    return small_model(seed, relations=RelationConfig(), **plain | changes)


def free_model(seed: int = 0) -> DiffusionGemma:
    """A model of canvases without relations."""
    return small_model(
        seed, relations=RelationConfig(), positions="rotary", first_belief="zero", task="free"
    )


def checkpoint(model: DiffusionGemma) -> Checkpoint:
    return Checkpoint(
        config=model.config, model=model, digest="0" * 64, generation=GenerationParams()
    )


RELATIONS = latin_relations()
CONSTRAINT = latin_constraint()


def latin_request(clues: dict[int, int] | None = None, **changes: object) -> CanvasRequest:
    clamps = np.full(CELLS, FREE, np.int64)
    for cell, digit in (clues or {}).items():
        clamps[cell] = digit
    values: dict[str, object] = {
        "clamps": clamps,
        "domain": Domain.everywhere(np.arange(VOCABULARY) > 0, CELLS),
        "relations": RELATIONS,
        "constraint": CONSTRAINT,
        "sampling": SamplingParams(max_steps=12, confidence=0.0),
    }
    return CanvasRequest(**(values | changes))  # type: ignore[arg-type]
