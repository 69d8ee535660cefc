"""Relations of canvases that each have their own, as a batch on a device.

Shapes: B canvases, L positions, the longest canvas's; shorter ones are padded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.relations import BoolMatrix, Relations


@dataclass(frozen=True, eq=False)
class RelationBatch:
    """One row a canvas.

    Attributes:
        masks: name -> bool [B, L, L], who sees whom; the diagonal is set, so padding sees itself.
        present: bool [B, L], the positions that are no padding; None where none is.
    """

    masks: Mapping[str, Tensor]
    present: Tensor | None = None

    @classmethod
    def stack(
        cls, relations: Sequence[Relations], length: int, device: torch.device
    ) -> RelationBatch:
        """Put the relations of canvases together, which all have the same names.

        Args:
            relations: one a canvas, of at most ``length`` positions.
            length: L.
            device: where the masks go.
        """
        masks = {
            name: torch.from_numpy(np.stack([_padded(r.mask(name), length) for r in relations]))
            for name in relations[0].matrices
        }
        lengths = torch.tensor([r.length for r in relations])
        # On a GPU there is a mask whatever the company, so that a canvas attends by the same code.
        whole = device.type == "cpu" and bool((lengths == length).all())
        present = None if whole else torch.arange(length) < lengths[:, None]
        return cls(masks, present).map(lambda x: x.to(device))

    def keep(self, rows: Tensor) -> RelationBatch:
        """The rows at these indices, int64 [B']."""
        return self.map(lambda x: x[rows])

    def map(self, change: Callable[[Tensor], Tensor]) -> RelationBatch:
        """The batch with every tensor changed."""
        present = None if self.present is None else change(self.present)
        return RelationBatch({name: change(mask) for name, mask in self.masks.items()}, present)


def _padded(mask: BoolMatrix, length: int) -> BoolMatrix:
    """A mask [n, n] as [length, length]; what is added sees itself alone."""
    if len(mask) == length:
        return mask
    padded = np.eye(length, dtype=np.bool_)
    padded[: len(mask), : len(mask)] = mask
    return padded
