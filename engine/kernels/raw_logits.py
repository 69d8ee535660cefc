"""Logits as the model's head leaves them, with what turns them into a belief."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.domain_sets import DomainSets


@dataclass(frozen=True, eq=False)
class RawLogits:
    """The logits of a batch's free positions, before softcap and temperature.

    Attributes:
        values: float32 or bfloat16, [N, V] for the N free positions alone, or [B, L, V] for all.
        cells: int64 [N], the free positions, each as canvas * L + position. One may come again, to
            fill up a fixed N, with the same logits; it is then computed again.
        length: L.
        softcap: of the model; see ``DiffusionGemma.head``.
        temperature: float32 [B].
        domain: what each position may take; None allows all.
    """

    values: Tensor
    cells: Tensor
    length: int
    softcap: float
    temperature: Tensor
    domain: DomainSets | None = None

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
        if self.domain is None:
            return None
        return self.domain.allowed(self.at_cells(self.domain.which))

    def at_cells(self, x: Tensor) -> Tensor:
        """The free positions of ``x`` [B, L, ...]: [N, ...]."""
        return x[self.cells // self.length, self.cells % self.length]
