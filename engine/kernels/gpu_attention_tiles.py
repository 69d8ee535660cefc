"""How programs of ``engine.kernels.gpu_segment_attention`` cut their work, for a Hopper GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import triton

#: Programs that occupy an H200, of 132 multiprocessors.
_ENOUGH = 128


@dataclass(frozen=True)
class AttentionTiles:
    """How a program cuts its work. Only ``keys`` decides in which order a row's sums are taken.

    Attributes:
        rows: query heads times positions.
        keys: at a time; divides a page.
        values: of the dimensions of a head, that a program sums; the same for all, or all of them.
        warps: of a program.
        stages: tiles of keys that are under way at once.
    """

    rows: int
    keys: int
    values: int
    warps: int
    stages: int

    def sharing(self, group: int) -> int:
        """Query heads in a tile of rows, of ``group`` that share a head of keys."""
        return min(int(triton.next_power_of_2(group)), self.rows)

    def programs(self, longest: int, heads: int, group: int, block: int) -> tuple[int, int]:
        """Of a segment: along its positions, and of heads and their dimensions."""
        sharing = self.sharing(group)
        across = triton.cdiv(longest, self.rows // sharing)
        return across, heads * triton.cdiv(group, sharing) * triton.cdiv(block, self.values)


def tiles_of(dtype: torch.dtype, block: int, *, causal: bool) -> tuple[AttentionTiles, ...]:
    """What fits a Hopper GPU, for heads padded to ``block``: from large tiles to small ones.

    All of them have the same keys, and so give the same bits.
    """
    if dtype == torch.float32:
        return (
            AttentionTiles(16, 16, block, 4, 1)
            if block > 128
            else AttentionTiles(32, 32, block, 4, 2),
        )
    if block > 256:
        large = AttentionTiles(128, 32, 256, 8, 2)
        # The causal mask takes registers, and prompts are seldom as short as a canvas.
        return (large,) if causal else (large, AttentionTiles(64, 32, 256, 4, 3))
    if block > 128:
        return (
            AttentionTiles(128, 32, 256, 8, 3),
            AttentionTiles(64, 32, 256, 4, 3),
            AttentionTiles(64, 32, 128, 4, 3),
        )
    return (AttentionTiles(64, 64, block, 4, 3),)


def filling(
    some: Sequence[AttentionTiles], count: int, longest: int, heads: int, group: int, block: int
) -> AttentionTiles:
    """The largest that leave enough programs for ``count`` segments, or the smallest."""
    for tiles in some:
        across, along = tiles.programs(longest, heads, group, block)
        if across * along * count >= _ENOUGH:
            return tiles
    return some[-1]
