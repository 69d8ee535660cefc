"""Embeddings in Triton have the bits of the model's."""

from __future__ import annotations

import math

import pytest
import torch

from engine.kernels.embedding import embedding, plain_embedding
from tests.engine.factories import plain_model
from tests.engine.kernels.triton_cases import DEVICE, DTYPES


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 5, 7), (4, 30, 64), (3, 8, 2816)])
def test_embeddings_equal_the_reference(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    count, vocabulary, hidden = shape
    generator = torch.Generator().manual_seed(hidden)
    tokens = torch.randint(vocabulary, (count,), generator=generator).to(DEVICE)
    table = torch.randn(vocabulary, hidden, generator=generator).to(DEVICE, dtype)
    scale = float(torch.tensor(math.sqrt(hidden), dtype=dtype))
    expected = plain_embedding(tokens, table, scale)
    for rows in (table, table.T.contiguous().T):
        found = embedding(tokens, rows, scale)
        assert found.dtype == dtype
        assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_reference_is_the_models_embedding(dtype: torch.dtype) -> None:
    model = plain_model().to(dtype)
    table, tokens = model.embed_tokens.weight.detach(), torch.arange(model.config.vocab_size)
    scale = float(torch.tensor(math.sqrt(model.config.hidden_size), dtype=dtype))
    assert torch.equal(plain_embedding(tokens, table, scale), model._embed(tokens).detach())


def test_no_tokens_have_no_embeddings() -> None:
    none = torch.empty(0, dtype=torch.int64, device=DEVICE)
    assert embedding(none, torch.ones(3, 8, device=DEVICE), 2.0).shape == (0, 8)
