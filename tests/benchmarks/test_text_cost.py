"""What a step of the 26B must move and do, counted by hand."""

import pytest

from benchmarks.text_cost import step_cost, weight_bytes, workspace_bytes
from benchmarks.text_model import SIZES, cache_for, parameters
from engine.precision.precision import Precision

FULL = SIZES["full"]
TABLE = 262_144 * 2816
EXPERTS = 30 * 128 * 3 * 704 * 2816


def test_a_step_in_bfloat16_reads_every_weight_and_the_table_twice() -> None:
    cost = step_cost(FULL, Precision.BFLOAT16, 1, 512)
    assert cost.weights + cost.table == pytest.approx(2 * (parameters(FULL) + TABLE))
    assert cost.cache == 512 * (25 * 2 * 8 * 256 + 5 * 2 * 2 * 512) * 2
    assert cost.logits == 3 * 256 * 262_144 * 2


def test_a_sliding_layer_reads_no_more_than_its_window() -> None:
    near, far = (step_cost(FULL, Precision.BFLOAT16, 1, past).cache for past in (1023, 9023))
    assert far - near == 8000 * 5 * 2 * 2 * 512 * 2


def test_only_weights_of_visited_experts_are_read() -> None:
    half, whole = (step_cost(FULL, Precision.BFLOAT16, 1, 512, n).weights for n in (64, 128))
    assert whole - half == EXPERTS


def test_operations_are_those_of_a_tokens_own_experts() -> None:
    dense = 25 * (8192 * 2816 + 4096 * 2816) + 5 * (9216 * 2816 + 8192 * 2816)
    dense += 31 * 3 * 2112 * 2816 + 30 * 128 * 2816
    attention = 4 * 16 * (25 * 256 + 5 * 512) * (512 + 256)
    token = 2 * (dense + EXPERTS // 16 + 2 * TABLE) + attention
    assert step_cost(FULL, Precision.INT4, 4, 512).operations == 4 * 256 * token


def test_in_int4_a_long_prompt_and_a_canvas_fit_into_18_gigabytes() -> None:
    rest = workspace_bytes(FULL, Precision.INT4, cache_for(FULL, 1, 2048 + 256))
    assert 14.1e9 < weight_bytes(FULL, Precision.INT4) < 14.2e9
    assert weight_bytes(FULL, Precision.INT4) + sum(rest.values()) < 18e9
