"""How many sequences fit, and how long they may be: never more than there is memory."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels.segment_attention import PAGE
from engine.text.capacity import capacity, step_bytes
from engine.text.kv_cache import CacheSizes, page_bytes
from tests.engine.factories import plain_model

CONFIG = plain_model(vocab_size=40, canvas_length=8).config
GPU = torch.device("cuda")
FULL = page_bytes(CONFIG, "full_attention", torch.float32)
SLIDING = page_bytes(CONFIG, "sliding_attention", torch.float32)


def on_gpu(monkeypatch: pytest.MonkeyPatch, free: int, batch: int, context: int) -> CacheSizes:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 2 * free))
    return capacity(CONFIG, torch.float32, GPU, batch, context)


@pytest.mark.parametrize("free", [2**22, 2**24, 2**26, 2**30])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_pages_and_steps_fit_into_the_free_memory_together(
    monkeypatch: pytest.MonkeyPatch, free: int, batch: int
) -> None:
    sizes = on_gpu(monkeypatch, free, batch, 4096)
    # Eager steps and recorded ones each keep what they compute in between.
    steps = 2 * step_bytes(CONFIG, torch.float32) * sizes.sequences
    assert steps + sizes.bytes(CONFIG, torch.float32) <= 0.92 * free
    assert 1 <= sizes.sequences <= batch


def test_steps_leave_half_of_the_memory_to_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    step = 2 * step_bytes(CONFIG, torch.float32)
    sizes = on_gpu(monkeypatch, 40 * step, 64, PAGE)
    assert sizes.sequences <= 0.92 * 20


def test_there_are_no_more_pages_than_all_sequences_can_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = on_gpu(monkeypatch, 2**34, 3, 200)
    assert sizes == CacheSizes(sequences=3, max_context=200, full_pages=3 * 4, ring_pages=2)


@given(st.integers(0, 300), st.integers(1, 9), st.integers(1, 40 * PAGE))
def test_what_is_handed_out_fits_and_serves_one_sequence_of_the_context(
    pages: int, sequences: int, context: int
) -> None:
    memory = pages * (FULL + SLIDING) // 3
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


def test_where_not_a_page_fits_it_says_how_much_is_wanted() -> None:
    with pytest.raises(MemoryError, match="0 MiB are left for keys and values"):
        CacheSizes.within(CONFIG, torch.float32, FULL - 1, 4, 256)
