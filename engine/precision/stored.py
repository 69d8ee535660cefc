"""Weights of a checkpoint folder as they are kept there, quantised or floats."""

from __future__ import annotations

import torch

from engine.precision.quantization import SCALES, VALUES
from engine.precision.weight import Weight
from engine.stored_weights import StoredWeights
from engine.weight_files import CheckpointError


def stored_weight(
    weights: StoredWeights,
    name: str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> Weight:
    """Read a matrix straight to a device.

    Args:
        weights: from ``engine.checkpoint.StoredCheckpoint.open``.
        name: one of our parameters, such as ``layers.0.experts.down_proj``.
        device: where it goes.
        dtype: what floats become there; what is quantised stays as it is.

    Raises:
        KeyError: there is no such parameter.
        CheckpointError: values and scales are stored in dtypes that do not belong together.
    """
    if name + VALUES not in weights:
        return Weight(weights.tensor(name, device, dtype))
    parts = (weights.tensor(name + suffix, device) for suffix in (VALUES, SCALES))
    try:
        return Weight(*parts)
    except ValueError as error:
        raise CheckpointError(f"{name}: {error}") from None
