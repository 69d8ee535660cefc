"""Whether a device that has failed once can be used again."""

from __future__ import annotations

import torch


def check_device(device: torch.device | str) -> None:
    """Find out whether a GPU still computes after a step on it has failed.

    Some faults last for as long as the process does. Then the engine ends, health says so, and
    what supervises the process starts another.

    Raises:
        RuntimeError: it does not.
    """
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
