"""A weight matrix in the precision that it is kept in. Knows no layer.

Shapes: N outputs, K inputs, E experts, G groups of inputs, T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.row_rounding import Rows
from engine.kernels.weight_product import weight_product
from engine.precision.nibbles import unpacked
from engine.precision.pairs import unpaired
from engine.precision.precision import GROUP, Precision


@dataclass(frozen=True, eq=False)
class Weight:
    """A matrix, or one an expert; ``engine.precision.quantize`` makes one of floats.

    Attributes:
        values: float32 or bfloat16, [N, K] or [E, N, K]; for fp8 float8_e4m3fn and for int8 int8,
            shaped alike, int8 in the order of ``engine.precision.pairs``; for int4 uint8
            [..., N, K / 2], as ``engine.precision.nibbles`` packs it.
        scales: what values are multiplied by: float32 [..., N, 1], for int4 bfloat16 [..., N, G],
            one for ``GROUP`` inputs; None for floats.
    """

    values: Tensor
    scales: Tensor | None = None

    def __post_init__(self) -> None:
        wanted = self.precision.scale_dtype
        if (None if self.scales is None else self.scales.dtype) != wanted:
            raise ValueError(f"scales: {self.precision.value} has scales of dtype {wanted}")
        if self.scales is not None and self.scales.shape != self._scales_shape():
            raise ValueError(
                f"scales: shape {list(self.scales.shape)}, "
                f"but the values ask for {list(self._scales_shape())}"
            )

    @classmethod
    def join(cls, parts: Sequence[Weight]) -> Weight:
        """The outputs of all parts, one after another.

        Raises:
            ValueError: they are not all of one precision.
        """
        kept = sorted({part.precision.value for part in parts})
        if len(kept) > 1:
            raise ValueError(f"only weights of one precision can be joined, got {', '.join(kept)}")
        dtype = parts[0].values.dtype
        plain = torch.uint8 if dtype.itemsize == 1 else dtype  # float8 cannot be joined everywhere
        values = torch.cat([part.values.view(plain) for part in parts], dim=-2).view(dtype)
        scales = [part.scales for part in parts if part.scales is not None]
        return cls(values, torch.cat(scales, dim=-2) if scales else None)

    @property
    def precision(self) -> Precision:
        """How it is kept."""
        return Precision.of(self.values.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, K] or [E, N, K], however it is kept."""
        return (*self.values.shape[:-1], self.inputs)

    @property
    def outputs(self) -> int:
        """N."""
        return self.values.shape[-2]

    @property
    def inputs(self) -> int:
        """K."""
        return self.values.shape[-1] * (2 if self.precision is Precision.INT4 else 1)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.values.device

    @property
    def nbytes(self) -> int:
        """Bytes of device memory, scales included."""
        return self.values.nbytes + (0 if self.scales is None else self.scales.nbytes)

    def of_expert(self, index: int) -> Weight:
        """One expert's matrix."""
        return Weight(self.values[index], None if self.scales is None else self.scales[index])

    def to(self, device: torch.device | str) -> Weight:
        """The same on another device."""
        scales = None if self.scales is None else self.scales.to(device)
        return Weight(self.values.to(device), scales)

    def arranged(self) -> Weight:
        """The same, with the scales of a group side by side, as kernels read them fastest."""
        if self.precision is not Precision.INT4 or self.scales is None:
            return self
        outputs = self.scales.flatten(0, -2)
        return Weight(self.values, outputs.mT.contiguous().mT.view(self.scales.shape))

    def dequantized(self) -> Tensor:
        """As floats, shaped like the matrix: float32, unless it is kept in floats as it is."""
        if self.scales is None:
            return self.values
        if self.precision is not Precision.INT4:
            int8 = self.precision is Precision.INT8
            return (unpaired(self.values) if int8 else self.values).float() * self.scales
        scales = self.scales.float().repeat_interleave(GROUP, dim=-1)
        return unpacked(self.values) * scales[..., : self.inputs]

    def product(self, x: Rows) -> Tensor:
        """``x`` [T, K] -> [T, N], in the dtype of ``x``; see ``weight_product``."""
        return weight_product(x, self)

    def _scales_shape(self) -> torch.Size:
        groups = -(-self.inputs // GROUP) if self.precision is Precision.INT4 else 1
        return torch.Size((*self.values.shape[:-1], groups))
