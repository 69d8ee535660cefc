"""What a step changes is counted, and ends are seen, as ``CanvasRows`` does."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from engine.canvas import FREE, CanvasRequest, SamplingParams
from engine.canvas_rows import CanvasRows, first_keys, first_progress
from engine.kernels.progress import Progress, plain_progress, progress
from tests.engine.kernels.triton_cases import DEVICE

pytest.importorskip("triton")


def random_rows(batch: int, length: int, seed: int) -> CanvasRows:
    """Canvases in all states, half of their positions free; none in the first."""
    generator = torch.Generator().manual_seed(seed)
    sampling = SamplingParams(max_steps=5, stability=2, confidence=0.4)
    request = CanvasRequest(clamps=np.full(length, FREE, np.int64), sampling=sampling)
    free = torch.rand(batch, length, generator=generator) < 0.5
    free[0] = False
    requests = [request] * batch
    rows = CanvasRows(
        canvas=torch.zeros(batch, length, dtype=torch.int64),
        **first_progress(requests, free, first_keys(requests, torch.device("cpu"))),
    )
    counts = torch.randint(0, 7, (2, batch), generator=generator)
    draft = torch.randint(0, 3, (batch, length), generator=generator)
    return replace(rows, draft=draft, steps=counts[0], unchanged=counts[1]).map(
        lambda x: x.to(DEVICE)
    )


def assert_same(found: Progress, expected: Progress) -> None:
    for field in fields(Progress):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        assert a.dtype == b.dtype
        assert torch.equal(a, b), field.name


@pytest.mark.parametrize("shape", [(1, 1), (12, 7), (9, 256), (5, 300)])
def test_rows_move_as_the_reference_has_it(shape: tuple[int, int]) -> None:
    for seed in range(3):
        rows = random_rows(*shape, seed)
        generator = torch.Generator().manual_seed(seed)
        changed = torch.rand(shape[0], generator=generator) < 0.5
        draft = rows.draft.clone()
        draft[changed.to(DEVICE), -1] += 1
        likely = torch.rand(shape[0], 1, generator=generator).to(DEVICE)
        entropy = likely * torch.rand(shape, generator=generator).to(DEVICE)
        given = rows, draft, entropy
        assert_same(progress(*given), plain_progress(*given))


def test_every_end_is_seen() -> None:
    rows = random_rows(40, 16, 7)
    calm = torch.zeros(40, 16, device=DEVICE)
    ends = progress(rows, rows.draft, calm).ends
    assert torch.equal(ends[0], (rows.unchanged + 1 >= rows.stability).long())
    assert torch.equal(ends[1], (rows.steps + 1 >= rows.max_steps).long())
    assert torch.equal(ends[2], rows.steps + 1)
    assert not progress(rows, rows.draft + 1, calm).ends[0].any()


def test_strides_do_not_matter() -> None:
    rows = random_rows(6, 10, 3)
    wide = torch.cat((rows.draft, rows.draft), dim=1)[:, :10]
    entropy = torch.rand(10, 6, generator=torch.Generator().manual_seed(1)).to(DEVICE).T
    found = progress(replace(rows, draft=wide), wide, entropy)
    assert_same(found, progress(rows, rows.draft, entropy.contiguous()))


def test_no_canvases_are_no_work() -> None:
    rows = random_rows(2, 4, 1)
    none = rows.keep(torch.zeros(0, dtype=torch.int64, device=DEVICE))
    found = progress(none, none.draft, torch.empty(0, 4, device=DEVICE))
    assert found.ends.shape == (3, 0)
