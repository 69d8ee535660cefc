"""What a text model takes of a GPU's memory."""

from __future__ import annotations

import pytest
import torch

from engine.config import ConfigError, ModelConfig
from engine.config_json import config_from_json
from engine.text.capacity import capacity, encoding_bytes, steps_bytes
from engine.text.chunks import Chunks
from engine.text.kv_cache import CacheSizes, page_bytes
from tests.engine.factories import plain_model
from tests.engine.test_config import published

CPU = torch.device("cpu")
CUDA, BFLOAT16 = torch.device("cuda"), torch.bfloat16
CHUNKS = Chunks.on(CUDA)


@pytest.fixture
def config() -> ModelConfig:
    return config_from_json(published())


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
    steps = 2 * steps_bytes(config, BFLOAT16, sizes.sequences)
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
    with pytest.raises(MemoryError, match=r"MiB are left .* needs 219 MiB at the least"):
        with_free(monkeypatch, config, 10**9)


def test_there_are_no_more_pages_than_all_sequences_can_use(
    monkeypatch: pytest.MonkeyPatch, config: ModelConfig
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10**11, 0))
    sizes = capacity(config, BFLOAT16, CUDA, CHUNKS, max_batch=3, max_context=400)
    assert sizes == CacheSizes(sequences=3, max_context=400, full_pages=3 * 7, ring_pages=7)


@pytest.mark.parametrize(
    ("known", "chosen", "said"),
    [
        (64, None, "^max_position_embeddings: got 64, accepted: more than 64, so that a canvas"),
        (128, 64, "^max_context: got 64, accepted: more than 64, so that a canvas fits after"),
    ],
)
def test_a_context_that_holds_no_canvas_after_a_prompt_is_refused(known, chosen, said):
    config = plain_model(canvas_length=64, max_position_embeddings=known).config
    with pytest.raises(ConfigError, match=said):
        capacity(config, torch.float32, CPU, CHUNKS, max_batch=4, max_context=chosen)


def test_a_context_of_a_canvas_and_a_token_is_enough():
    config = plain_model(canvas_length=64).config
    assert (
        capacity(config, torch.float32, CPU, CHUNKS, max_batch=4, max_context=65).max_context == 65
    )


def test_memory_that_holds_no_canvas_after_a_prompt_is_refused():
    config = plain_model(canvas_length=64).config
    page = page_bytes(config, "full_attention", torch.float32)
    ring = 2 * page_bytes(config, "sliding_attention", torch.float32)
    assert CacheSizes.within(config, torch.float32, ring + 2 * page, 1, 999).max_context == 128
    with pytest.raises(MemoryError, match="left for keys and values"):
        CacheSizes.within(config, torch.float32, ring + 2 * page - 1, 1, 999)
