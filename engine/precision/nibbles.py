"""Four values of 4 bits in two bytes.

The inputs of a group are cut in quarters. One of each lies in 16 bits, those of the first quarter
lowest, low byte first, so that a kernel gets adjacent inputs from adjacent halves of its registers
without a shuffle. The last group of a row may be shorter.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.precision.precision import GROUP

#: What is added to a value, so that -8..7 becomes 0..15.
OFFSET = 8


def packed(values: Tensor) -> Tensor:
    """Integers in -8..7, [..., K] with K a multiple of 4 -> uint8 [..., K / 2]."""
    return torch.cat([_packed(x) for x in torch.split(values, GROUP, dim=-1)], dim=-1)


def unpacked(bytes_of: Tensor) -> Tensor:
    """uint8 [..., K / 2] -> int8 [..., K] in -8..7."""
    return torch.cat([_unpacked(x) for x in torch.split(bytes_of, GROUP // 2, dim=-1)], dim=-1)


def _packed(group: Tensor) -> Tensor:
    quarters = (group + OFFSET).to(torch.uint8).chunk(4, dim=-1)
    low, high = quarters[0] | (quarters[1] << 4), quarters[2] | (quarters[3] << 4)
    return torch.stack((low, high), dim=-1).flatten(-2)


def _unpacked(bytes_of: Tensor) -> Tensor:
    low, high = bytes_of[..., 0::2], bytes_of[..., 1::2]
    quarters = (low & 15, low >> 4, high & 15, high >> 4)
    return torch.cat(quarters, dim=-1).to(torch.int8) - OFFSET
