"""The checkpoints that come with Inkfill."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def bundled_checkpoints() -> dict[str, Path]:
    """Name -> folder of each checkpoint in the package."""
    graph = _HERE / "graph"
    return {
        "sudoku": _HERE / "sudoku" / "checkpoint",
        "coloring": graph / "coloring" / "checkpoint",
        "independent-set": graph / "independent_set" / "checkpoint",
        "hamiltonian": graph / "hamiltonian" / "checkpoint",
    }
