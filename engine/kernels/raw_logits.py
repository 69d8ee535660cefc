"""Logits as the model's head leaves them, with what turns them into a belief."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class RawLogits:
    """The logits of a batch's free positions, before softcap and temperature.

    Attributes:
        values: float32 or bfloat16, [N, V] for the N free positions alone, or [B, L, V] for all.
        cells: int64 [N], the free positions, each as canvas * L + position.
        length: L.
        softcap: of the model; see ``DiffusionGemma.head``.
        temperature: float32 [B].
        domain: bool [B, L, V], not empty at any free position; None allows all.
    """

    values: Tensor
    cells: Tensor
    length: int
    softcap: float
    temperature: Tensor
    domain: Tensor | None = None

    @property
    def vocabulary(self) -> int:
        """V."""
        return self.values.shape[-1]

    def scaled(self) -> Tensor:
        """Softcapped and divided by the temperature: float32 [N, V]."""
        values = self.values if self.values.dim() == 2 else self.at_cells(self.values)
        capped = torch.tanh(values.float() / self.softcap) * self.softcap
        return capped / self.temperature[self.cells // self.length, None]

    def allowed(self) -> Tensor | None:
        """The domains of the free positions, bool [N, V]; None allows all."""
        return None if self.domain is None else self.at_cells(self.domain)

    def at_cells(self, x: Tensor) -> Tensor:
        """The free positions of ``x`` [B, L, ...]: [N, ...]."""
        return x[self.cells // self.length, self.cells % self.length]
