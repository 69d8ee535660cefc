"""What is written to pages is what attention would read there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.kernels.segment_attention import PAGE, Segments, segment_attention
from engine.kernels.write_pages import plain_write_pages, write_pages
from tests.engine.kernels.triton_cases import DEVICE, DTYPES

RUNS = [(1, 0), (64, 0), (70, 63), (0, 5), (200, 130), (3, 300)]


def segments_of(runs: list[tuple[int, int]], width: int) -> tuple[Segments, int]:
    """Runs of (length, past), two tokens of padding before each, and how many tokens it makes."""
    starts = [2 + sum(n + 2 for n, _ in runs[:i]) for i in range(len(runs))]
    numbers = [torch.tensor(x, dtype=torch.int32) for x in (starts, *zip(*runs, strict=True))]
    order = torch.randperm(len(runs) * width, generator=torch.Generator().manual_seed(width))
    numbers.append(order.view(len(runs), width).int())
    longest = max(length for length, _ in runs) + 9
    return Segments(*(x.to(DEVICE) for x in numbers), longest), starts[-1] + runs[-1][0]


def random_rows(tokens: int, dtype: torch.dtype, kv_heads: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(size)
    return torch.randn(2, tokens, kv_heads, size, generator=generator).to(DEVICE, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 2, 6])
@pytest.mark.parametrize("sizes", [(1, 2), (2, 16), (3, 10)])
def test_pages_equal_the_reference(sizes: tuple[int, int], width: int, dtype: torch.dtype) -> None:
    segments, tokens = segments_of(RUNS, width)
    keys, values = random_rows(tokens, dtype, *sizes)
    both = torch.zeros(2, len(RUNS) * width, 2, PAGE, *sizes, dtype=dtype, device=DEVICE)
    for pages, write in zip(both, (write_pages, plain_write_pages), strict=True):
        write(keys, values, pages[:, 0], pages[:, 1], segments)
    assert torch.equal(both[0], both[1])
    kept = sum(min(length, width * PAGE) for length, _ in RUNS)
    assert (both[0, :, 0] != 0).any(-1).any(-1).sum() == kept


@pytest.mark.parametrize("causal", [True, False])
def test_attention_finds_in_pages_what_was_written(causal: bool) -> None:
    first, tokens = segments_of([(100, 0), (30, 0)], 3)
    keys, values = random_rows(tokens, torch.float32, 2, 16)
    pages = torch.zeros(2, 6, PAGE, 2, 16, device=DEVICE)
    write_pages(keys, values, *pages, first)
    own = torch.randn(40, 4, 16, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    k, v = torch.randn(2, 40, 2, 16, generator=torch.Generator().manual_seed(2)).to(DEVICE)
    second, _ = segments_of([(12, 100), (9, 30)], 3)
    found = segment_attention(own, k, v, *pages, second, causal=causal)
    for row, (length, past) in enumerate([(12, 100), (9, 30)]):
        start, before = int(second.starts[row]), int(first.starts[row])
        mine = slice(start, start + length)
        all_keys, all_values = (
            torch.cat((x[before : before + past], y[mine])).repeat_interleave(2, dim=1)
            for x, y in ((keys, k), (values, v))
        )
        scores = torch.einsum("qhd,khd->hqk", own[mine], all_keys)
        if causal:
            late = torch.ones(length, past + length, device=DEVICE).triu(past + 1).bool()
            scores = scores.masked_fill(late, -torch.inf)
        expected = torch.einsum("hqk,khd->qhd", scores.softmax(dim=-1), all_values)
        torch.testing.assert_close(found[mine], expected, rtol=1e-5, atol=1e-5)
