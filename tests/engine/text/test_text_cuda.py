"""The text path on a GPU: recorded, quantised, in any company.

Each case also runs on the CPU, so that it cannot rot unseen.
"""

from __future__ import annotations

import pytest
import torch

from engine.precision.precision import Precision
from engine.text.graphs import Recorder
from tests.engine.text import device_cases
from tests.engine.text.test_graphs import Rerun

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
MAIN = (Precision.FLOAT32, Precision.BFLOAT16, Precision.FP8, Precision.INT4)
#: In fp8 rows are rounded too, and not only weights.
WEIGHT_ONLY = (Precision.INT8, Precision.INT4)


def recorder_on(device: torch.device) -> Recorder | None:
    """Of graphs on a GPU, of the function itself on a CPU."""
    return None if device.type == "cuda" else Rerun()


@pytest.mark.parametrize("precision", MAIN)
@pytest.mark.parametrize("name", DEVICES)
def test_graphed_steps_equal_eager_ones(name: str, precision: Precision) -> None:
    device = torch.device(name)
    device_cases.graphed_steps_equal_eager_ones(device, precision, recorder_on(device))


@pytest.mark.parametrize("precision", MAIN)
@pytest.mark.parametrize("name", DEVICES)
def test_requests_answer_the_same_alone_and_in_random_mixed_batches(
    name: str, precision: Precision
) -> None:
    device = torch.device(name)
    count = 60 if device.type == "cuda" else 6
    device_cases.requests_answer_the_same_in_any_company(device, precision, count)


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("name", DEVICES)
def test_kernels_are_as_near_as_plain_functions(name: str, precision: Precision) -> None:
    device_cases.kernels_are_as_near_as_plain_functions(torch.device(name), precision)


@pytest.mark.parametrize("precision", WEIGHT_ONLY)
@pytest.mark.parametrize("name", DEVICES)
def test_quantised_weights_equal_what_they_stand_for(name: str, precision: Precision) -> None:
    device_cases.quantised_weights_equal_what_they_stand_for(torch.device(name), precision)


@pytest.mark.parametrize("name", DEVICES)
def test_rows_are_the_same_wherever_they_are_rounded(name: str) -> None:
    device_cases.rows_are_the_same_wherever_they_are_rounded(torch.device(name))
