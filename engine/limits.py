"""How much the engine takes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EngineLimits:
    """How much the engine takes on.

    Attributes:
        max_batch: requests of one model that run at once.
        max_queue: requests waiting, of all models; one more is refused.
        threads: CPU threads to compute with; None for one a core.
        max_context: tokens of a prompt and of what follows it at most; None for what the model
            knows and the memory holds.
    """

    max_batch: int = 64
    max_queue: int = 1024
    threads: int | None = None
    max_context: int | None = None
