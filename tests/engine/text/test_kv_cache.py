"""Pages are handed out within the memory there is, and rings hold what a window reaches."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels.segment_attention import PAGE
from engine.text.kv_cache import CacheSizes, page_bytes
from tests.engine.factories import plain_model

CONFIG = plain_model(vocab_size=40, canvas_length=8).config
FULL = page_bytes(CONFIG, "full_attention", torch.float32)
SLIDING = page_bytes(CONFIG, "sliding_attention", torch.float32)


@given(st.integers(0, 300), st.integers(1, 9), st.integers(1, 40 * PAGE))
def test_what_is_handed_out_fits_and_serves_one_sequence_of_the_context(
    thirds: int, sequences: int, context: int
) -> None:
    memory = thirds * (FULL + SLIDING) // 3
    try:
        sizes = CacheSizes.within(CONFIG, torch.float32, memory, sequences, context)
    except MemoryError:
        assert memory < 2 * SLIDING + FULL
        return
    assert sizes.bytes(CONFIG, torch.float32) <= memory
    assert 1 <= sizes.sequences <= sequences
    assert sizes.max_context <= context
    assert sizes.max_context <= sizes.full_pages * PAGE
    if sizes.sequences < sequences:  # for rings, which took half
        assert 2 * (sizes.sequences + 1) * sizes.ring_pages * SLIDING > memory


@given(st.integers(1, 1100), st.integers(0, 5000))
def test_a_ring_holds_the_window_before_any_position(window: int, past: int) -> None:
    config = replace(CONFIG, sliding_window=window)
    sizes = CacheSizes.within(config, torch.float32, 2**40, 1, 10**6)
    oldest_page = (past - 1) // PAGE - sizes.ring_pages + 1
    assert oldest_page * PAGE <= max(0, past - (window - 1))
