"""The shape of a grid as compiled code reads it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Tables(NamedTuple):
    """A geometry for compiled code.

    Attributes:
        size: N.
        units: uint16 [3 N, N], the cells of each row, column and box.
        units_of: int64 [C], bit u set for the units u of a cell.
        peers: uint16 [C, P], the cells that share a unit with each.
    """

    size: int
    units: npt.NDArray[np.uint16]
    units_of: npt.NDArray[np.int64]
    peers: npt.NDArray[np.uint16]
