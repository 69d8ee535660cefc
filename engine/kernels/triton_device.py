"""Where Triton kernels run: on CUDA, and anywhere in Triton's interpreter, which tests use."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec

import torch
from torch import Tensor


def runs_triton(x: Tensor) -> bool:
    """Whether kernels can take this tensor; where not, the plain function does the same.

    Triton has no build for macOS, and without CUDA it only interprets, which takes the environment
    variable ``TRITON_INTERPRET=1``, set before Triton is imported.
    """
    wanted = x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"
    return wanted and find_spec("triton") is not None


def on_device_of(x: Tensor) -> AbstractContextManager[None]:
    """Makes the GPU of ``x`` the current one, on which Triton launches whatever it is given."""
    return torch.cuda.device(x.device) if x.is_cuda else nullcontext()
