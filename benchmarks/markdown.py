"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def figure(value: Any) -> str:
    """A figure in three digits, anything else as it is."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
