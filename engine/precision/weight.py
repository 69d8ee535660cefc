"""A weight matrix in the precision that it is kept in. Knows no layer.

Shapes: N outputs, K inputs, E experts, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Weight:
    """A matrix, or one an expert.

    Attributes:
        values: float32 or bfloat16, [N, K] or [E, N, K].
    """

    values: Tensor

    @classmethod
    def join(cls, parts: list[Weight]) -> Weight:
        """The outputs of all parts, one after another."""
        return cls(torch.cat([part.values for part in parts], dim=-2))

    @property
    def nbytes(self) -> int:
        """Bytes of device memory."""
        return self.values.nbytes

    def dequantized(self) -> Tensor:
        """As floats, shaped like the matrix."""
        return self.values

    def product(self, x: Tensor) -> Tensor:
        """``x`` [T, K] -> [T, N], in the dtype of ``x``."""
        return F.linear(x, self.values)
