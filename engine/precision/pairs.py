"""Two integers of 8 bits side by side that are half a block of inputs apart.

A kernel reads both as 16 bits, takes them apart, and has adjacent inputs of either half in adjacent
halves of its registers without a shuffle. The last block of a row may be shorter.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Inputs whose halves are interleaved.
BLOCK = 64


def paired(values: Tensor) -> Tensor:
    """[..., K] of one byte each, K even -> the same in the order in which they are kept."""
    blocks = torch.split(values.view(torch.uint8), BLOCK, dim=-1)
    kept = [torch.stack(block.chunk(2, dim=-1), dim=-1).flatten(-2) for block in blocks]
    return torch.cat(kept, dim=-1).view(values.dtype)


def unpaired(values: Tensor) -> Tensor:
    """[..., K] as they are kept -> the same in the order of inputs."""
    blocks = torch.split(values.view(torch.uint8), BLOCK, dim=-1)
    halves = [half for block in blocks for half in (block[..., 0::2], block[..., 1::2])]
    return torch.cat(halves, dim=-1).view(values.dtype)
