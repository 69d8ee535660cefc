"""Attention to pages and to the segment itself equals PyTorch's, one segment after another."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from engine.kernels.segment_attention import (
    PAGE,
    Segments,
    plain_segment_attention,
    segment_attention,
)
from tests.engine.kernels.triton_cases import DEVICE, DTYPES

pytest.importorskip("triton")
from engine.kernels.gpu_attention_tiles import AttentionTiles, filling, tiles_of
from engine.kernels.gpu_segment_attention import gpu_segment_attention

SMALL = AttentionTiles(16, 16, 16, 4, 1)
#: What lies where nothing may be read.
POISON = float("nan")


class Case(NamedTuple):
    """What attention is given, in its order."""

    q: Tensor
    k: Tensor
    v: Tensor
    key_pages: Tensor
    value_pages: Tensor
    segments: Segments


def random_case(
    runs: list[tuple[int, int]],
    *,
    heads: int = 4,
    kv_heads: int = 2,
    size: int = 16,
    ring: int | None = None,
    dtype: torch.dtype = torch.float32,
    padding: int = 3,
    seed: int = 0,
) -> Case:
    """``runs`` of (length, past), padding between; whatever must not be read is not a number."""
    generator = torch.Generator().manual_seed(seed)
    width = ring or max(1, *(-(-past // PAGE) for _, past in runs))
    starts = [padding + sum(n + padding for n, _ in runs[:i]) for i in range(len(runs))]
    tokens = starts[-1] + runs[-1][0] + padding
    q = torch.randn(tokens, heads, size, generator=generator)
    k, v = torch.randn(2, tokens, kv_heads, size, generator=generator)
    table = torch.randperm(len(runs) * width + 2, generator=generator)[: len(runs) * width]
    table = table.view(len(runs), width)
    shape = len(runs) * width + 2, PAGE, kv_heads, size
    keys, values = torch.full((2, *shape), POISON)
    for row, (_, past) in enumerate(runs):
        for p in range(max(0, past - width * PAGE), past):
            spot = table[row, p // PAGE % width], p % PAGE
            keys[spot], values[spot] = torch.randn(2, kv_heads, size, generator=generator)
    between = torch.ones(tokens, dtype=torch.bool)
    for start, (length, _) in zip(starts, runs, strict=True):
        between[start : start + length] = False
    for x in (q, k, v):
        x[between] = POISON
    numbers = (torch.tensor(x, dtype=torch.int32) for x in (starts, *zip(*runs, strict=True)))
    parts = *(x.to(DEVICE) for x in numbers), table.int().to(DEVICE)
    segments = Segments(*parts, longest=max(length for length, _ in runs))
    tensors = (x.to(DEVICE, dtype) for x in (q / size**0.5, k, v, keys, values))
    return Case(*tensors, segments)


def assert_near(found: Tensor, expected: Tensor) -> None:
    assert found.dtype == expected.dtype
    near = 1e-5 if found.dtype == torch.float32 else 2.0**-7
    torch.testing.assert_close(found, expected, rtol=near, atol=near)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 1, 20, 100])
def test_attention_equals_the_reference(
    causal: bool, window: int | None, dtype: torch.dtype
) -> None:
    runs = [(1, 0), (37, 0), (5, 150), (1, 64), (20, 63), (33, 1)]
    case = random_case(runs, dtype=dtype)
    expected = plain_segment_attention(*case, causal=causal, window=window)
    for tiles in (None, SMALL):
        found = gpu_segment_attention(*case, causal=causal, window=window, tiles=tiles)
        assert_near(found, expected)


@pytest.mark.parametrize("heads", [(1, 1), (3, 3), (4, 2), (8, 1), (6, 2), (24, 1)])
@pytest.mark.parametrize("size", [2, 6, 16, 40, 64])
def test_any_heads_that_share_keys_and_any_even_size(heads: tuple[int, int], size: int) -> None:
    case = random_case([(9, 70), (3, 0)], heads=heads[0], kv_heads=heads[1], size=size)
    for causal in (True, False):
        expected = plain_segment_attention(*case, causal=causal)
        assert_near(segment_attention(*case, causal=causal), expected)
        assert_near(gpu_segment_attention(*case, causal=causal, tiles=SMALL), expected)


@pytest.mark.parametrize(("kv_heads", "size", "window"), [(8, 256, 60), (2, 512, None)])
def test_the_heads_of_a_large_model(kv_heads: int, size: int, window: int | None) -> None:
    case = random_case([(5, 70)], heads=16, kv_heads=kv_heads, size=size, dtype=torch.bfloat16)
    found = segment_attention(*case, causal=True, window=window)
    assert_near(found, plain_segment_attention(*case, causal=True, window=window))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("past", [0, 100, 127, 128, 129, 500])
def test_a_ring_of_pages_serves_what_the_window_sees(past: int, causal: bool) -> None:
    case = random_case([(30, past), (70, 3 * past)], ring=2, seed=past)
    for window in (60, 2 * PAGE + 1):
        expected = plain_segment_attention(*case, causal=causal, window=window)
        assert expected.isfinite().all()
        assert_near(segment_attention(*case, causal=causal, window=window), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("causal", [True, False])
def test_a_segment_has_the_same_bits_in_any_company(causal: bool, dtype: torch.dtype) -> None:
    runs = [(50, 200), (1, 10), (130, 0), (20, 129)]
    case = random_case(runs, ring=4, dtype=dtype)
    starts = case.segments.starts.tolist()
    whole = segment_attention(*case, causal=causal, window=90)
    for row, (length, past) in enumerate(runs):
        own = slice(starts[row], starts[row] + length)
        part = Segments(
            torch.zeros(1, dtype=torch.int32, device=DEVICE),
            torch.tensor([length], dtype=torch.int32, device=DEVICE),
            torch.tensor([past], dtype=torch.int32, device=DEVICE),
            case.segments.pages[row : row + 1],
            longest=300,
        )
        q, k, v = (x[own].contiguous() for x in case[:3])
        alone = Case(q, k, v, case.key_pages, case.value_pages, part)
        assert torch.equal(segment_attention(*alone, causal=causal, window=90), whole[own])


@pytest.mark.parametrize("causal", [True, False])
def test_the_values_of_a_tile_do_not_change_a_bit(causal: bool) -> None:
    runs = [(50, 200), (1, 10), (20, 129)]
    case = random_case(runs, size=64, ring=4, dtype=torch.bfloat16)
    given = partial(gpu_segment_attention, *case, causal=causal, window=90)
    expected = given(tiles=AttentionTiles(64, 16, 64, 4, 1))
    for values in (32, 16):
        assert torch.equal(given(tiles=AttentionTiles(64, 16, values, 4, 1)), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("size", [64, 256, 512])
def test_tiles_that_are_chosen_by_the_batch_have_the_same_keys(
    size: int, causal: bool, dtype: torch.dtype
) -> None:
    some = tiles_of(dtype, size, causal=causal)
    chosen = [filling(some, count, 256, 8, 2, size) for count in (1, 2, 16)]
    assert chosen[-1] == some[0]
    assert {tiles.keys for tiles in (*some, *chosen)} == {some[0].keys}


@pytest.mark.cuda
@pytest.mark.parametrize(("kv_heads", "size", "window"), [(8, 256, 1024), (2, 512, None)])
@pytest.mark.parametrize("causal", [True, False])
def test_a_large_model_has_the_same_bits_by_any_tiles_and_in_any_company(
    causal: bool, kv_heads: int, size: int, window: int | None
) -> None:
    runs = [(256, 512), (200, 1500), (256, 37), (256, 0), (17, 1024)]
    heads = {"heads": 16, "kv_heads": kv_heads, "size": size, "dtype": torch.bfloat16}
    case = random_case(runs, **heads, ring=None if window is None else 17)
    start, segments = int(case.segments.starts[0]), case.segments
    given = partial(segment_attention, causal=causal, window=window)
    expected = given(*case)
    assert_near(expected, plain_segment_attention(*case, causal=causal, window=window))
    for tiles in tiles_of(torch.bfloat16, size, causal=causal):
        found = gpu_segment_attention(*case, causal=causal, window=window, tiles=tiles)
        assert torch.equal(found, expected)
    alone = Segments(
        *(x[:1] for x in (segments.starts, segments.lengths, segments.past, segments.pages)), 256
    )
    own = slice(start, start + 256)
    assert torch.equal(given(*case[:5], alone)[own], expected[own])


def test_padding_is_left_zero_and_an_empty_segment_is_no_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poisoned = partial(torch.full, fill_value=POISON)
    monkeypatch.setattr(torch, "empty", lambda shape, **options: poisoned(shape, **options))
    case = random_case([(5, 0), (0, 30), (0, 0), (7, 12)], padding=20)
    for attend in (segment_attention, plain_segment_attention):
        found = attend(*case, causal=True)
        assert found.isfinite().all()
        assert (found != 0).any(-1).any(-1).sum() == 12
    none = replace(case.segments, longest=0, lengths=torch.zeros_like(case.segments.lengths))
    assert (segment_attention(*case[:5], none, causal=True) == 0).all()


def test_strides_do_not_matter() -> None:
    case = random_case([(20, 70), (9, 5)])
    heads, kv_heads = 4, 2
    packed = torch.cat((case.k, case.q, case.v), dim=1)
    k, q, v = packed.split((kv_heads, heads, kv_heads), dim=1)
    both = torch.stack((case.key_pages, case.value_pages), dim=1)
    apart = Case(q, k, v, both[:, 0], both[:, 1], case.segments)
    expected = segment_attention(*case, causal=True, window=30)
    assert torch.equal(segment_attention(*apart, causal=True, window=30), expected)
    turned = Case(q.mT.contiguous().mT, *apart[1:])
    assert torch.equal(segment_attention(*turned, causal=True, window=30), expected)


def test_large_scores_do_not_overflow() -> None:
    case = random_case([(20, 70)])
    loud = case._replace(q=case.q * 1e4)
    assert_near(segment_attention(*loud, causal=True), plain_segment_attention(*loud, causal=True))
