"""A denoising step of a small model on the CPU: compiled decoder and sampler, tile by tile.

The thread that decoded a tile samples from it at once, while the logits are in its cache.
"""

from __future__ import annotations

import numpy as np
import torch

from engine.attention import AttentionPlan
from engine.batch_state import BatchState
from engine.kernels.cpu_decoder import CpuDecoder, DecoderInputs
from engine.kernels.cpu_sampler import CpuSampling, cpu_denoise_step
from engine.model import DiffusionGemma
from engine.noise import CounterNoise
from engine.sampler import Projection, StepResult, StepSettings


class CpuStepper:
    """An ``engine.stepper.Stepper`` with a frozen copy of a model's weights."""

    def __init__(self, model: DiffusionGemma, threads: int | None = None) -> None:
        """Pack the weights and compile everything; see ``CpuDecoder``."""
        self._decoder = CpuDecoder(model, threads)
        _compile_sampler(self._decoder.vocabulary)

    def step(
        self,
        state: BatchState,
        plan: AttentionPlan,
        project: Projection | None,
    ) -> StepResult:
        """See ``Stepper.step``."""
        batch, length = state.canvas.shape
        shape = batch, length, self._decoder.vocabulary
        logits = np.empty(shape, np.float32)
        inputs = DecoderInputs.of(state.canvas, state.belief, state.free, logits)
        sampling = CpuSampling.of(shape, state.domain, state.settings, state.noise)

        def sample(first: int, last: int) -> None:
            sampling.believe(logits, first, last)
            if project is None:
                sampling.draw(first, last)

        self._decoder.run(plan, inputs, sample)
        if project is not None:
            sampling = sampling.projected(project)
            self._decoder.share_out(len(state), sampling.draw)
        return sampling.result


def _compile_sampler(vocabulary: int) -> None:
    """Sample the smallest canvas, so that no caller's first step waits for the compiler."""
    one = torch.ones(1)
    noise = CounterNoise(torch.zeros(1, dtype=torch.int64), torch.ones(1, dtype=torch.int64))
    cpu_denoise_step(torch.zeros(1, 1, vocabulary), None, StepSettings(one, one), noise)
