"""The smallest kernel: whether Triton can build and run anything on a GPU here.

It needs a C compiler for its launcher, and a driver as new as its CUDA.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl


def probe(index: int) -> int:
    """Run a kernel on a GPU, and tell the bytes of shared memory that a program may have there.

    Raises:
        Exception: whatever Triton or CUDA raises where something is missing.
    """
    with torch.cuda.device(index):
        found = torch.zeros(1, dtype=torch.int32, device="cuda")
        _answer[(1,)](found)
        if found.item() != 1:
            raise RuntimeError("a kernel ran and left nothing")
    properties = triton.runtime.driver.active.utils.get_device_properties(index)
    return int(properties["max_shared_mem"])


@triton.jit
def _answer(found):
    tl.store(found, 1)
