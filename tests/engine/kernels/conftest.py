"""Kernels are tested in Triton's interpreter where there is no GPU."""

import pytest


@pytest.fixture(autouse=True)
def _plain_kernels() -> None:
    """Instead of the fixture that puts the plain functions in their place."""
