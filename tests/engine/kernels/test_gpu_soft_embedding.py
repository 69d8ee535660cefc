"""The fused product equals the belief times the table."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.domain_sets import DomainSets
from engine.kernels.denoising_head import plain_denoising_head
from engine.kernels.raw_logits import RawLogits
from engine.kernels.soft_embedding import plain_soft_embedding, soft_embedding
from tests.engine.factories import plain_model
from tests.engine.kernels.triton_cases import DEVICE, DTYPES, NEAR, random_head, random_noise

pytest.importorskip("triton")
from engine.kernels.gpu_soft_embedding import gpu_soft_embedding

SMALL = (16, 16, 32)


def random_table(vocabulary: int, size: int, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(size)
    return torch.randn(vocabulary, size, generator=generator).to(DEVICE, dtype)


def log_sum_exp(logits: RawLogits, held: Tensor) -> Tensor:
    return plain_denoising_head(logits, held, random_noise(len(held), 0)).log_sum_exp


def assert_near(found: Tensor, expected: Tensor, table: Tensor) -> None:
    assert found.dtype == expected.dtype
    near = NEAR if table.dtype == torch.float32 else 2.0**-8
    torch.testing.assert_close(found, expected, rtol=0, atol=near * float(table.abs().max()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 9, 31), (1, 40, 200), (3, 7, 129), (1, 6, 96)])
@pytest.mark.parametrize("size", [1, 16, 37])
def test_the_embedding_equals_the_reference(
    shape: tuple[int, int, int], size: int, restricted: bool, dtype: torch.dtype
) -> None:
    logits, held, _ = random_head(shape, size, restricted=restricted, dtype=dtype)
    table = random_table(shape[-1], size, dtype)
    sums = log_sum_exp(logits, held)
    expected = plain_soft_embedding(logits, held, table)
    for parts in (1, 3):
        found = gpu_soft_embedding(logits, sums, held, table, tiles=SMALL, parts=parts)
        assert_near(found, expected, table)


def test_clamped_positions_get_their_own_embedding() -> None:
    logits, held, _ = random_head((3, 20, 50), 1, restricted=True)
    table = random_table(50, 24, torch.float32)
    found = soft_embedding(logits, log_sum_exp(logits, held), held, table)
    clamped = torch.ones(60, dtype=torch.bool, device=DEVICE)
    clamped[logits.cells] = False
    assert torch.equal(found.view(60, 24)[clamped], table[held.view(-1)[clamped]])


def test_the_dtypes_of_logits_and_table_may_differ() -> None:
    for dtypes in (DTYPES, DTYPES[::-1]):
        logits, held, _ = random_head((2, 10, 90), 2, restricted=True, dtype=dtypes[0])
        table = random_table(90, 24, dtypes[1])
        found = soft_embedding(logits, log_sum_exp(logits, held), held, table)
        assert_near(found, plain_soft_embedding(logits, held, table), table)


def test_strides_do_not_matter() -> None:
    logits, held, _ = random_head((2, 12, 70), 3, restricted=True)
    assert logits.domain is not None
    table = random_table(70, 24, torch.float32)
    sums = log_sum_exp(logits, held)
    apart = replace(
        logits,
        values=logits.values.transpose(0, 2).contiguous().transpose(0, 2),
        domain=DomainSets(
            logits.domain.sets.T.contiguous().T, logits.domain.which.T.contiguous().T
        ),
    )
    compact = replace(logits, values=logits.at_cells(logits.values))
    expected = gpu_soft_embedding(logits, sums, held, table, tiles=SMALL)
    for other in (apart, compact):
        tables = table.T.contiguous().T, table.repeat_interleave(2, dim=0)[::2]
        for strided in tables:
            found = gpu_soft_embedding(other, sums.T.contiguous().T, held, strided, tiles=SMALL)
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_the_reference_is_how_the_model_embeds_a_belief() -> None:
    model = plain_model()
    table = model.embed_tokens.weight
    logits, held, noise = random_head((2, 16, len(table)), 4, restricted=True)
    logits = replace(logits, cells=torch.arange(32, device=DEVICE))
    sums = plain_denoising_head(logits, held, noise).log_sum_exp
    assert logits.domain is not None
    belief = (logits.scaled() - sums.view(-1, 1)).exp().view(2, 16, -1)
    belief = belief.masked_fill(~logits.domain.dense(), 0)
    soft = model._soft_embed(belief.cpu())
    found = plain_soft_embedding(logits, held, table.to(DEVICE)).cpu()
    torch.testing.assert_close(found * table.shape[1] ** 0.5, soft)


def test_positions_are_taken_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, held, _ = random_head((3, 20, 50), 7, restricted=True)
    table = random_table(50, 24, torch.bfloat16)
    sums = log_sum_exp(logits, held)
    together = gpu_soft_embedding(logits, sums, held, table, tiles=SMALL)
    monkeypatch.setattr("engine.kernels.gpu_soft_embedding.ROWS", 7)
    for some in (logits, replace(logits, values=logits.at_cells(logits.values))):
        apart = gpu_soft_embedding(some, sums, held, table, tiles=SMALL)
        assert torch.equal(apart, together)


def test_no_free_position_is_no_work() -> None:
    logits, held, _ = random_head((2, 3, 20), 5, restricted=False)
    table = random_table(20, 8, torch.bfloat16)
    nothing = replace(logits, cells=logits.cells[:0])
    zeros = torch.zeros(held.shape, device=DEVICE)
    assert torch.equal(soft_embedding(nothing, zeros, held, table), table[held])


def test_a_position_that_comes_again_changes_nothing() -> None:
    logits, held, _ = random_head((2, 12, 70), 6, restricted=True)
    table = random_table(70, 24, torch.float32)
    sums = log_sum_exp(logits, held)
    filled = replace(logits, cells=torch.cat((logits.cells, logits.cells[:1].expand(7))))
    expected = plain_soft_embedding(logits, held, table)
    assert_near(plain_soft_embedding(filled, held, table), expected, table)
    assert_near(soft_embedding(filled, sums, held, table), expected, table)
