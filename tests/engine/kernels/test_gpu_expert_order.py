"""Assignments come in the order of a stable sort, however many programs place them."""

from __future__ import annotations

import pytest
import torch

from tests.engine.kernels.triton_cases import DEVICE

pytest.importorskip("triton")
from engine.kernels import gpu_expert_order
from engine.kernels.gpu_expert_order import expert_order

#: Tokens, experts a token, experts.
SHAPES = [(1, 1, 1), (9, 2, 5), (256, 8, 128), (700, 3, 40), (1100, 8, 128)]


@pytest.mark.parametrize("programs", [2, 64])
@pytest.mark.parametrize("sizes", SHAPES)
def test_the_order_is_a_stable_sorts(
    sizes: tuple[int, int, int], programs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_expert_order, "_PROGRAMS", programs)
    tokens, k, experts = sizes
    generator = torch.Generator().manual_seed(tokens)
    likely = torch.rand(tokens, k, generator=generator) ** 2  # some experts have many, some none
    chosen = (likely * experts).long().to(DEVICE)
    order, starts = expert_order(chosen, experts)
    assert order.dtype == starts.dtype == torch.int32
    assert torch.equal(order.long(), chosen.flatten().sort(stable=True).indices)
    expected = [int((chosen < expert).sum()) for expert in range(experts + 1)]
    assert starts.tolist() == expected


def test_all_may_visit_one_expert() -> None:
    for expert in (0, 6):
        chosen = torch.full((300, 1), expert, device=DEVICE)
        order, starts = expert_order(chosen, 7)
        assert torch.equal(order.long(), torch.arange(300, device=DEVICE))
        assert starts.tolist() == [0] * (expert + 1) + [300] * (7 - expert)
