"""What weights can be kept in."""

from __future__ import annotations

import enum

import torch

#: Inputs of a row that share a scale in int4.
GROUP = 128


class Precision(enum.Enum):
    """How a weight matrix is kept.

    Attributes:
        FLOAT32: as it is.
        BFLOAT16: as it is.
        FP8: float8_e4m3fn, a scale an output.
        INT8: -127..127, a scale an output.
        INT4: -8..7, two a byte, a scale for ``GROUP`` inputs of an output.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"

    @classmethod
    def of(cls, dtype: torch.dtype) -> Precision:
        """The precision whose values have this dtype.

        Raises:
            ValueError: none has.
        """
        for precision in cls:
            if precision.dtype == dtype:
                return precision
        accepted = ", ".join(str(p.dtype).removeprefix("torch.") for p in cls)
        raise ValueError(f"dtype {str(dtype).removeprefix('torch.')}, accepted: {accepted}")

    @property
    def dtype(self) -> torch.dtype:
        """Of the values."""
        return _DTYPES[self]

    @property
    def scale_dtype(self) -> torch.dtype | None:
        """Of the scales; None where there are none.

        A scale an output costs nothing. One for 128 values of 4 bits is 3 % more in bfloat16, 6 %
        in float32; values are rounded to multiples of the scale as it is stored, so that its own
        rounding loses nothing.
        """
        return _SCALE_DTYPES.get(self)

    def refuse(self, inputs: int) -> None:
        """Complain of a number of inputs that cannot be packed into 16 bits.

        Raises:
            ValueError: it is no multiple of 4 for int4, of 2 for int8.
        """
        together = _TOGETHER.get(self, 1)
        if inputs % together:
            raise ValueError(
                f"{self.value} takes a multiple of {together} inputs, but there are {inputs}"
            )


_TOGETHER = {Precision.INT4: 4, Precision.INT8: 2}
_DTYPES = {
    Precision.FLOAT32: torch.float32,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FP8: torch.float8_e4m3fn,
    Precision.INT8: torch.int8,
    Precision.INT4: torch.uint8,
}
_SCALE_DTYPES = {
    Precision.FP8: torch.float32,
    Precision.INT8: torch.float32,
    Precision.INT4: torch.bfloat16,
}
