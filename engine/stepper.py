"""One denoising step of a batch, decoder pass and sampler: a protocol, and its reference.

Knows tensors; knows neither tickets nor when a canvas is done (``engine.batcher`` does).
"""

from __future__ import annotations

from typing import Protocol

from engine.attention import AttentionPlan
from engine.batch_state import BatchState
from engine.model import DiffusionGemma
from engine.sampler import Projection, StepResult, denoise_step


class Stepper(Protocol):
    """Takes batches of one model a step further. Each canvas is computed alone."""

    def step(
        self,
        state: BatchState,
        plan: AttentionPlan,
        project: Projection | None,
    ) -> StepResult:
        """Take the next step.

        Args:
            state: of B canvases.
            plan: how each layer type attends.
            project: applied to the belief before anything is drawn from it.
        """


class EagerStepper:
    """The reference, in PyTorch, for every model, device and plan."""

    def __init__(self, model: DiffusionGemma) -> None:
        self._model = model

    def step(
        self,
        state: BatchState,
        plan: AttentionPlan,
        project: Projection | None,
    ) -> StepResult:
        """See ``Stepper.step``."""
        logits = self._model.decode(state.canvas, state.belief, plan)
        return denoise_step(logits, state.domain, state.settings, state.noise, project)
