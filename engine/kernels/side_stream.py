"""Work beside other work: a second CUDA stream; on the CPU, one after the other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class SideStream:
    """Runs something small while something large runs.

    What one starts is joined before the next starts, so that memory which it took is used again in
    order. In a CUDA graph the two become branches.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)

    def start(self, work: Callable[[], Tensor]) -> Tensor:
        """Begin after all that was launched before; the result may be read once ``join`` was."""
        if self._stream is None:
            return work()
        self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
        with torch.cuda.stream(self._stream):
            return work()

    def join(self) -> None:
        """Let what is launched from now on wait for what was started."""
        if self._stream is not None:
            torch.cuda.current_stream(self._stream.device).wait_stream(self._stream)
