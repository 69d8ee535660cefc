"""How programs of products with weights cut their work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ProductTiles:
    """How a program cuts its work; ``out`` and ``rows`` are powers of two.

    Attributes:
        out: outputs; a multiple of 64 for tensor cores.
        rows: a multiple of 16.
        warps: of a program.
        stages: tiles that are on their way from memory at a time.
    """

    out: int
    rows: int
    warps: int
    stages: int = 4

    def options(self) -> dict[str, int]:
        """For a kernel's launch."""
        return {
            "out_tile": self.out,
            "row_tile": self.rows,
            "num_warps": self.warps,
            "num_stages": self.stages,
        }
