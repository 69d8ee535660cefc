"""Rotary embedding: pairs of a head's coordinates turned by an angle that grows with position.

Shapes: B canvases, L positions, d head size.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import RopeConfig

Rotation = tuple[Tensor, Tensor]  # cos, sin: each [B or 1, L, d]


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Apply rotary embedding to ``x`` [B, L, heads, d], halves paired."""
    cos, sin = (part.unsqueeze(2) for part in rotation)
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


def rotation_at(positions: Tensor, rope: RopeConfig, head_dim: int, dtype: torch.dtype) -> Rotation:
    """Cosines and sines for ``positions`` [B, L], each [B, L, head_dim].

    Frequencies are spaced over the whole head. Where only a part of it turns (``proportional``),
    the slow ones are left out: zero frequencies leave their coordinates alone.
    """
    turning = int(rope.partial_rotary_factor * head_dim // 2)
    steps = torch.arange(turning, dtype=torch.float32, device=positions.device) * 2
    # Far into a prompt a rounding of the frequency is a visible angle: divide as transformers does.
    frequencies = F.pad(1.0 / rope.rope_theta ** (steps / head_dim), (0, head_dim // 2 - turning))
    angles = positions[..., None].float() * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().to(dtype), angles.sin().to(dtype)
