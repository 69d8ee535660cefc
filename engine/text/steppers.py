"""The fastest stepper that a text model's device can have."""

from __future__ import annotations

import logging

from engine.kernels.triton_device import runs_triton
from engine.text.graphs import GraphTextStepper
from engine.text.network import TextNetwork
from engine.text.step import EagerTextStepper, TextStepper

log = logging.getLogger(__name__)


def text_stepper(network: TextNetwork) -> TextStepper:
    """Recorded on a GPU with Triton, which takes seconds; eager elsewhere, and where that fails."""
    embeddings = network.weights.embeddings.values
    if not (embeddings.is_cuda and runs_triton(embeddings)):
        return EagerTextStepper(network)
    stepper = GraphTextStepper(network)
    try:
        stepper.warm_up()
    except RuntimeError:  # an older GPU or another build of PyTorch: slower, and as right
        log.warning("steps cannot be recorded on this GPU and are taken eagerly", exc_info=True)
        return EagerTextStepper(network)
    return stepper
