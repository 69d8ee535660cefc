"""Two values of 4 bits in a byte.

A group's first half lies in the low nibbles, its second half in the high ones, so that a kernel
gets adjacent inputs from adjacent bytes without a shuffle. The last group of a row may be shorter.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.precision.precision import GROUP

#: What is added to a value, so that -8..7 becomes 0..15.
OFFSET = 8


def packed(values: Tensor) -> Tensor:
    """Integers in -8..7, [..., K] with even K -> uint8 [..., K / 2].

    Raises:
        ValueError: K is odd.
    """
    if values.shape[-1] % 2:
        raise ValueError(f"int4 keeps two inputs a byte, but there are {values.shape[-1]}, odd")
    groups = torch.split((values + OFFSET).to(torch.uint8), GROUP, dim=-1)
    halves = [group.chunk(2, dim=-1) for group in groups]
    return torch.cat([low | (high << 4) for low, high in halves], dim=-1)


def unpacked(bytes_of: Tensor) -> Tensor:
    """uint8 [..., K / 2] -> int8 [..., K] in -8..7."""
    groups = torch.split(bytes_of, GROUP // 2, dim=-1)
    halves = [half for group in groups for half in (group & 15, group >> 4)]
    return torch.cat(halves, dim=-1).to(torch.int8) - OFFSET
