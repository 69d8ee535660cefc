"""Where Triton kernels run: on CUDA, and anywhere in Triton's interpreter, which tests use."""

from __future__ import annotations

import os
from importlib.util import find_spec

from torch import Tensor


def runs_triton(x: Tensor) -> bool:
    """Whether kernels can take this tensor; where not, the plain function does the same.

    Triton has no build for macOS, and without CUDA it only interprets, which takes the environment
    variable ``TRITON_INTERPRET=1``, set before Triton is imported.
    """
    wanted = x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"
    return wanted and find_spec("triton") is not None
