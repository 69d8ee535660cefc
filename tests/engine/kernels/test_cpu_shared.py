"""A canvas that several threads decode together has the bits that one gives it."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch

from engine.attention import AttentionPlan, plan_attention
from engine.kernels import cpu_decoder
from engine.kernels.cpu_decoder import CpuDecoder
from engine.kernels.cpu_shared import arrange_parts
from engine.kernels.cpu_team import CpuTeam
from engine.model import DiffusionGemma
from solvers.graph.network import graph_config
from solvers.sudoku.geometry import geometry
from tests.engine.kernels.test_cpu_decoder import (
    masked_plan,
    random_config,
    random_model,
    random_state,
)

Drawn = tuple[DiffusionGemma, AttentionPlan, int]


@pytest.fixture(autouse=True)
def _few_rows_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_decoder, "_LEAST_ROWS", 3)


def draw(seed: int) -> Drawn:
    """A model of any shape, on grids of any shape or on graphs."""
    rng = random.Random(seed)
    if seed % 3 == 0:
        model = random_model(graph_config("any", rng.choice([8, 20, 40])), seed)
        length = rng.randint(4, 70)
        return model, masked_plan(model.config, 2, length, seed), length
    model = random_model(random_config(rng), seed)
    grid = geometry(*rng.choice([(2, 2), (2, 3), (3, 3)]))
    return model, plan_attention(model.config, grid.relations, torch.device("cpu")), grid.cells


@pytest.mark.parametrize("seed", range(9))
def test_the_bits_are_those_of_one_thread(seed: int) -> None:
    model, plan, length = draw(seed)
    canvas, belief, free = random_state(model.config, 2, length, seed)
    alone = CpuDecoder(model, threads=1)
    for threads in (4, 7):
        together = CpuDecoder(model, threads)
        for given in ((belief, plan, free), (belief, plan), (None, plan)):
            assert torch.equal(together.decode(canvas, *given), alone.decode(canvas, *given))


def test_a_helper_that_never_comes_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, plan, length = draw(1)
    canvas, belief, free = random_state(model.config, 2, length, 1)
    expected = CpuDecoder(model, threads=1).decode(canvas, belief, plan, free)

    def join(team: CpuTeam, members: int, work: Callable[[int], None]) -> None:
        work(0)

    monkeypatch.setattr(CpuTeam, "join", join)
    assert torch.equal(CpuDecoder(model, threads=6).decode(canvas, belief, plan, free), expected)


def test_a_helper_that_comes_late_touches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, plan, length = draw(2)
    decoder, late = CpuDecoder(model, threads=4), list[Callable[[int], None]]()

    def join(team: CpuTeam, members: int, work: Callable[[int], None]) -> None:
        work(0)
        late.append(work)

    monkeypatch.setattr(CpuTeam, "join", join)
    first, second = (random_state(model.config, 1, length, seed) for seed in (5, 6))
    expected = CpuDecoder(model, threads=1).decode(second[0], second[1], plan, second[2])
    decoder.decode(first[0], first[1], plan, first[2])
    found = decoder.decode(second[0], second[1], plan, second[2])
    kept = found.clone()
    for work in late:
        work(1)
    assert torch.equal(found, kept)
    assert torch.equal(found, expected)


@pytest.mark.parametrize(("parts", "length"), [(1, 5), (3, 81), (4, 7), (5, 5)])
def test_parts_have_as_many_cells_and_as_many_free_ones(parts: int, length: int) -> None:
    free = np.random.default_rng(length).random(length) < 0.4
    cells = np.arange(length)[::-1].copy()
    order, counts, needed = np.zeros((parts, 96), np.int64), *np.zeros((2, parts), np.int64)
    row_of, index = np.zeros(length, np.int64), np.zeros(length, np.int64)
    for given in (free, np.zeros(0, np.bool_)):
        arrange_parts(given, cells, (order, counts, needed, row_of, index))
        own = [order[part, : counts[part]] for part in range(parts)]
        assert sorted(np.concatenate(own)) == list(range(length))
        is_free = given if len(given) else np.ones(length, np.bool_)
        for part, cells_of in enumerate(own):
            assert is_free[cells_of[: needed[part]]].all()
            assert not is_free[cells_of[needed[part] :]].any()
        assert np.ptp(counts) <= 1
        assert np.ptp(needed) <= 1
        assert (order.ravel()[row_of] == np.arange(length)).all()
        assert (index == row_of[cells]).all()
