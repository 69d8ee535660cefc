"""What products with weights in fp8 are given is rounded where it is computed, wherever it can be.

Results do not show it, since the bits are the same; see ``engine.kernels.row_rounding``.
"""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor

from engine.kernels import weight_product
from engine.kernels.row_rounding import RoundedRows
from engine.precision.precision import Precision
from engine.text.step import EagerTextStepper
from tests.engine.text.device_cases import CONFIG, LENGTH, PROMPTS, encoded, network_on


def test_products_round_only_what_attention_and_experts_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original, widths = weight_product.plain_rounded_rows, Counter[int]()

    def watched(x: Tensor) -> RoundedRows:
        widths[x.shape[1]] += 1
        return original(x)

    network = network_on(torch.device("cpu"), Precision.FP8)
    past = encoded(network, EagerTextStepper(network))
    canvas = torch.zeros(len(PROMPTS), LENGTH, dtype=torch.int64)
    signal = torch.zeros(*canvas.shape, CONFIG.hidden_size, dtype=network.weights.dtype)
    monkeypatch.setattr(weight_product, "plain_rounded_rows", watched)
    network.decode(canvas, signal, torch.tensor([LENGTH] * len(PROMPTS)), past)
    assert widths.pop(CONFIG.moe_intermediate_size) >= len(CONFIG.layers)  # expert by expert
    heads = Counter(CONFIG.num_attention_heads * layer.head_dim for layer in CONFIG.layers)
    assert widths == heads
