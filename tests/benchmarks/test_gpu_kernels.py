"""The benchmark of kernels runs, at sizes that the interpreter can bear, and compares equals."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.gpu_contest import Contest, Heads, Sizes, difference, measure, tensors_of
from benchmarks.gpu_contests_attention import visible
from benchmarks.gpu_kernels import FAMILIES, Plan, contests
from engine.precision.precision import Precision
from tests.engine.kernels.triton_cases import DEVICE

pytest.importorskip("triton")

TINY = Sizes(
    length=6,
    vocabulary=40,
    hidden=24,
    heads=4,
    sliding=Heads(2, 8, 5),
    full=Heads(1, 16, None),
    dense=20,
    expert=12,
    experts=6,
    top_k=2,
    past=70,
    chunk=4,
)
PLAN = Plan(families=["step", *FAMILIES], tokens=[13], canvases=[2], free=[1.0, 0.5])


@pytest.fixture(autouse=True)
def _plain_kernels() -> None:
    """Instead of the fixture that puts the plain functions in their place."""


@pytest.fixture(scope="module")
def tiny() -> list[Contest]:
    torch.manual_seed(3)
    return list(contests(PLAN, TINY, DEVICE))


def assert_equals(expected: Tensor, found: Tensor, case: str) -> None:
    """To the rounding of floats; where rows are rounded to fp8 and PyTorch's are not, to that."""
    assert found.dtype == expected.dtype
    if not found.is_floating_point():
        assert torch.equal(found, expected)
        return
    near = 2.0**-6 if found.dtype == torch.bfloat16 else 1e-4
    near = 2.0**-4 if "fp8" in case else near
    largest = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(found, expected, rtol=near, atol=near * largest)


def test_both_sides_of_every_contest_say_the_same(tiny: list[Contest]) -> None:
    with torch.inference_mode():
        for contest in tiny:
            expected, found = contest.plain(), contest.fused()
            for a, b in zip(tensors_of(expected), tensors_of(found), strict=True):
                assert_equals(a, b, contest.case)
            assert difference(expected, found).endswith(", 0")
            assert contest.bytes > 0


def test_every_kernel_and_precision_has_its_contest(tiny: list[Contest]) -> None:
    assert {contest.kernel for contest in tiny} == {
        "denoising_head",
        "soft_embedding",
        "accept_and_renoise",
        "add_norm",
        "after_attention",
        "after_feedforward",
        "rotary_norm",
        "gated_gelu",
        "choose_experts",
        "embedding",
        "segment_attention",
        "write_pages",
        "weight_product",
        "expert_parts",
    }
    cases = [contest.case for contest in tiny if contest.kernel == "expert_parts"]
    assert cases == [p.value for p in Precision if p is not Precision.FLOAT32]
    assert len({(contest.kernel, contest.case, contest.rows) for contest in tiny}) == len(tiny)


def test_a_row_is_made_of_what_the_timer_says() -> None:
    times = iter([6.0, 2.0])

    def timer(run: Callable[[], object]) -> float:
        run()
        return next(times)

    x, y = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5])
    flags = torch.tensor([True, False, True])
    contest = Contest("k", "c", 7, lambda: (x, flags), lambda: (y, ~flags), 4e6, 8e9)
    row = measure(contest, timer)
    assert json.loads(json.dumps(row)) == {
        "kernel": "k", "case": "c", "rows": 7, "plain": 6.0, "triton": 2.0, "x": 3.0,
        "GB/s": 2.0, "TFLOPS": 4.0, "error": "5.0e-01, 3",
    }  # fmt: skip


@pytest.mark.parametrize("window", [None, 1, 3, 9, 100])
@pytest.mark.parametrize("past", [0, 4, 30])
def test_visible_pairs_are_counted_as_masks_show_them(past: int, window: int | None) -> None:
    token, seen = torch.arange(past, past + 7)[:, None], torch.arange(past + 7)[None]
    reach = past + 7 if window is None else window
    causal = (token >= seen) & (token - seen < reach)
    whole = (seen >= past) | (past - seen < reach)
    assert visible(7, past, causal=True, window=window) == int(causal.sum())
    assert visible(7, past, causal=False, window=window) == 7 * int(whole.sum())
