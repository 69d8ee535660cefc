"""How many sequences a text model holds, and what is too small to hold one."""

import pytest
import torch

from engine.config import ConfigError
from engine.text.capacity import capacity
from engine.text.kv_cache import CacheSizes, page_bytes
from tests.engine.factories import plain_model

CPU = torch.device("cpu")


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
        capacity(config, torch.float32, CPU, 4, chosen)


def test_a_context_of_a_canvas_and_a_token_is_enough():
    config = plain_model(canvas_length=64).config
    assert capacity(config, torch.float32, CPU, 4, 65).max_context == 65


def test_memory_that_holds_no_canvas_after_a_prompt_is_refused():
    config = plain_model(canvas_length=64).config
    page = page_bytes(config, "full_attention", torch.float32)
    ring = 2 * page_bytes(config, "sliding_attention", torch.float32)
    assert CacheSizes.within(config, torch.float32, ring + 2 * page, 1, 999).max_context == 128
    with pytest.raises(MemoryError, match="left for keys and values"):
        CacheSizes.within(config, torch.float32, ring + 2 * page - 1, 1, 999)
