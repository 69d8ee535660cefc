"""``engine.sampler.denoise_step`` on the CPU in one pass over the cells, without temporaries.

It draws from the same counters and so draws the same tokens. Floats agree to 1e-6; two tokens can
only change places when their noisy scores agree to the last digits of a float32, a few draws in
a million. A canvas never depends on its batch here either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.kernels.cpu_belief import believe
from engine.kernels.cpu_draw import draw
from engine.noise import CounterNoise
from engine.sampler import Projection, StepResult, StepSettings

_Ints = npt.NDArray[np.int64]
_Drawn = tuple[_Ints, _Ints, npt.NDArray[np.bool_], npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class CpuSampling:
    """One step's sampling of a batch, any range of whose canvases can be done by any thread.

    Attributes:
        allowed: bool [B, L, V], the domain; [B, L, 0] when every token is allowed.
        temperature, bounds: float32 [B].
        keys, steps: uint64 [B], of the noise.
        belief, mass: float32 [B, L, V] and [B, L], which ``believe`` writes.
        drawn: canvas, draft, accepted and entropy, as in ``StepResult``, which ``draw`` writes.
    """

    allowed: npt.NDArray[np.bool_]
    temperature: npt.NDArray[np.float32]
    bounds: npt.NDArray[np.float32]
    keys: npt.NDArray[np.uint64]
    steps: npt.NDArray[np.uint64]
    belief: npt.NDArray[np.float32]
    mass: npt.NDArray[np.float32]
    drawn: _Drawn

    @classmethod
    def of(
        cls,
        shape: tuple[int, int, int],
        domain: Tensor | None,
        settings: StepSettings,
        noise: CounterNoise,
    ) -> CpuSampling:
        """Make room for a step of logits of this shape, (B, L, V)."""
        cells = shape[:2]
        return cls(
            np.zeros((*cells, 0), np.bool_) if domain is None else domain.contiguous().numpy(),
            settings.temperature.float().contiguous().numpy(),
            settings.entropy_bound.float().contiguous().numpy(),
            noise.keys.contiguous().numpy().view(np.uint64),
            noise.steps.contiguous().numpy().view(np.uint64),
            np.empty(shape, np.float32),
            np.ones(cells, np.float32),
            (
                np.empty(cells, np.int64),
                np.empty(cells, np.int64),
                np.empty(cells, np.bool_),
                np.empty(cells, np.float32),
            ),
        )

    def believe(self, logits: npt.NDArray[np.float32], first: int, last: int) -> None:
        """The belief of canvases ``first`` to ``last`` from their logits, [B, L, V]."""
        believe(first, last, logits, self.allowed, self.temperature, self.belief, self.mass)

    def projected(self, project: Projection) -> CpuSampling:
        """The same with the belief changed."""
        return replace(self, belief=project(torch.from_numpy(self.belief)).contiguous().numpy())

    def draw(self, first: int, last: int) -> None:
        """All that follows from the belief of canvases ``first`` to ``last``."""
        noise = self.keys, self.steps
        draw(first, last, self.belief, self.allowed, self.bounds, *noise, self.drawn)

    @property
    def result(self) -> StepResult:
        """What was written, as tensors that share its memory."""
        return StepResult(*map(torch.from_numpy, (self.belief, *self.drawn, self.mass)))


def cpu_denoise_step(
    logits: Tensor,
    domain: Tensor | None,
    settings: StepSettings,
    noise: CounterNoise,
    project: Projection | None = None,
) -> StepResult:
    """What ``engine.sampler.denoise_step`` does, for counter noise and canvases without padding.

    Args:
        logits: softcapped, float32 [B, L, V], on the CPU.
        domain: bool [B, L, V], not empty anywhere; None allows all.
        settings: temperature and entropy bound of each canvas.
        noise: this step's draws.
        project: applied to the belief before anything is drawn from it.
    """
    batch, length, vocabulary = logits.shape
    sampling = CpuSampling.of((batch, length, vocabulary), domain, settings, noise)
    sampling.believe(logits.contiguous().numpy(), 0, len(logits))
    if project is not None:
        sampling = sampling.projected(project)
    sampling.draw(0, len(logits))
    return sampling.result
