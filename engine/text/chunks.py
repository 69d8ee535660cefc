"""How much is encoded between two denoising steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Chunks:
    """How the tokens of prompts and of committed canvases are cut.

    Attributes:
        size: tokens of one sequence that a pass encodes at most. What a sequence's tokens are cut
            into depends on nothing else, so that it computes the same in any company.
        budget: tokens of all sequences in a pass, padding included, but one chunk at the least.
    """

    size: int
    budget: int

    @classmethod
    def on(cls, device: torch.device) -> Chunks:
        """As many as cost about what a step of a few canvases costs there."""
        return cls(128, 128) if device.type == "cpu" else cls(512, 1024)
