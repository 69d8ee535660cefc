"""A forward pass on the CPU is counted as by hand, and the ceiling computes what it times."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.cpu_cost import _CHAINS, float32_ceiling, forward_operations, multiplier
from engine.kernels.simd import LANES
from tests.engine.factories import small_config


def test_operations_are_those_of_products_and_of_what_is_seen() -> None:
    config = small_config(num_experts=1, top_k_experts=1)
    length, batch = 5, 3
    nothing = torch.full((1, config.num_attention_heads, length, length), -torch.inf)
    own = nothing.clone()
    own[0, 0].fill_diagonal_(0.0)  # one head sees itself alone
    blind = forward_operations(config, dict.fromkeys(config.layer_types, nothing), batch * length)
    seeing = forward_operations(config, dict.fromkeys(config.layer_types, own), batch * length)
    # A score and a share of a value, two operations a dimension each.
    assert seeing - blind == sum(4 * layer.head_dim * batch * length for layer in config.layers)
    d, inner = config.hidden_size, config.intermediate_size
    mlps = (3 * d * inner + 3 * d * config.moe_intermediate_size + d) * len(config.layers)
    attention = sum(
        d * layer.head_dim * (2 * config.num_attention_heads + kv * layer.num_key_value_heads)
        for layer in config.layers
        for kv in [2 if layer.is_sliding else 1]  # full attention has its keys for values
    )
    ends = 2 * config.vocab_size * d + 3 * d * inner
    assert blind == 2 * batch * length * (mlps + attention + ends)


@pytest.mark.parametrize("chains", _CHAINS)
def test_the_ceiling_multiplies_and_adds(chains: int) -> None:
    sums = np.arange(chains * LANES, dtype=np.float32)
    x, y = np.full(LANES, 2, np.float32), np.full(LANES, 3, np.float32)
    own = np.concatenate([sums, x, y])
    multiplier(chains)(own, 5)
    assert (own == np.concatenate([sums + 5 * 6, x, y])).all()


def test_a_core_does_more_than_a_billion_and_less_than_a_trillion_operations_a_second() -> None:
    assert 1e9 < float32_ceiling(1) < 1e12
