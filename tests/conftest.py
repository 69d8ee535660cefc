"""Test-wide settings.

Where there is no GPU, Triton's kernels are interpreted, which must be said before Triton is
imported.

Small tensors run fastest on one thread, whatever else the machine does. Hypothesis's examples take
as long as they take: the machine may be busy, and the first one compiles.
"""

import os

import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
torch.set_num_threads(1)
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out, and say so, what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="there is no CUDA device here"))


@pytest.fixture(autouse=True)
def _plain_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside the tests of Triton's kernels, the plain functions run, as on any CPU."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
