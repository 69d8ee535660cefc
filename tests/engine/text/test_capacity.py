"""What a text model takes of a GPU's memory."""

from __future__ import annotations

import pytest
import torch

from engine.config import ModelConfig
from engine.text.capacity import capacity, encoding_bytes, step_bytes
from engine.text.chunks import Chunks
from engine.text.kv_cache import CacheSizes
from tests.engine.test_config import published

CUDA, BFLOAT16 = torch.device("cuda"), torch.bfloat16
CHUNKS = Chunks.on(CUDA)


@pytest.fixture
def config() -> ModelConfig:
    return ModelConfig.from_json(published())


def with_free(
    monkeypatch: pytest.MonkeyPatch, config: ModelConfig, free: int, share: float = 1.0
) -> CacheSizes:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 0))
    return capacity(config, BFLOAT16, CUDA, CHUNKS, max_batch=64, max_context=32_768, share=share)


@pytest.mark.parametrize("gigabytes", [3, 4, 8, 30, 90])
def test_steps_passes_and_pages_fit_into_what_is_free(
    monkeypatch: pytest.MonkeyPatch, config: ModelConfig, gigabytes: int
) -> None:
    free = gigabytes * 10**9
    sizes = with_free(monkeypatch, config, free)
    steps = 2 * sizes.sequences * step_bytes(config, BFLOAT16)
    passes = 2 * encoding_bytes(config, BFLOAT16, CHUNKS)
    taken = sizes.bytes(config, BFLOAT16) + steps + passes
    assert 0.5 * free < taken <= 0.92 * free
    assert sizes.full_pages * 64 >= sizes.max_context


def test_models_that_are_opened_in_turn_share_what_is_free(
    monkeypatch: pytest.MonkeyPatch, config: ModelConfig
) -> None:
    half = with_free(monkeypatch, config, 60 * 10**9, share=0.5)
    assert half == with_free(monkeypatch, config, 30 * 10**9)


def test_too_little_for_one_short_sequence_is_said_with_numbers(
    monkeypatch: pytest.MonkeyPatch, config: ModelConfig
) -> None:
    with pytest.raises(MemoryError, match=r"MiB are left .* needs 214 MiB at the least"):
        with_free(monkeypatch, config, 10**9)


def test_there_are_no_more_pages_than_all_sequences_can_use(
    monkeypatch: pytest.MonkeyPatch, config: ModelConfig
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10**11, 0))
    sizes = capacity(config, BFLOAT16, CUDA, CHUNKS, max_batch=3, max_context=200)
    assert sizes == CacheSizes(sequences=3, max_context=200, full_pages=3 * 4, ring_pages=4)
