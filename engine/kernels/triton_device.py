"""Where Triton kernels run: on large GPUs, and in its interpreter anywhere, which tests use."""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

#: Bytes of shared memory that the largest tiles take: what Hopper has for a program.
SHARED = 227 * 1024
log = logging.getLogger(__name__)


def runs_triton(x: Tensor) -> bool:
    """Whether kernels can take this tensor; where not, the plain function does the same.

    Triton has no build for macOS, and without a GPU it only interprets, which takes the environment
    variable ``TRITON_INTERPRET=1``, set before Triton is imported. A first tensor on a GPU tries
    it out, which must not be in a CUDA graph's record.
    """
    if x.is_cuda:
        return _gpu_runs_triton(x.device.index or 0)
    return os.environ.get("TRITON_INTERPRET") == "1" and find_spec("triton") is not None


@cache
def _gpu_runs_triton(index: int) -> bool:
    """Whether a GPU has room for the kernels' tiles, and Triton works there; found out once."""
    if find_spec("triton") is None:
        return False
    try:
        from engine.kernels.gpu_probe import probe

        shared = probe(index)
    except Exception:
        log.warning("Triton does not run on GPU %d; PyTorch does instead", index, exc_info=True)
        return False
    if shared < SHARED:
        log.warning(
            "GPU %d gives a program %d KB of shared memory, and Inkfill's kernels take %d KB, as "
            "from H100 on; PyTorch runs instead, and slower",
            *(index, shared // 1024, SHARED // 1024),
        )
    return shared >= SHARED


def on_device_of(x: Tensor) -> AbstractContextManager[None]:
    """Makes the GPU of ``x`` the current one, on which Triton launches whatever it is given."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()
