"""The engine on a GPU does what it does on the CPU.

What compares two devices also runs with the CPU as the second one, so that it cannot rot unseen.
"""

import asyncio
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.attention import plan_attention
from engine.batch_state import first_state
from engine.canvas import FinishReason
from engine.checkpoint import load_checkpoint
from engine.engine import Engine
from engine.noise import CounterNoise, stream_keys
from engine.stepper import EagerStepper
from solvers.bundled import bundled_checkpoints
from solvers.sudoku.codec import encode
from solvers.sudoku.problem import SudokuProblem
from tests.engine.factories import CELLS, RELATIONS, VOCABULARY, latin_request, small_model
from tests.engine.test_batcher import run_together

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
CLUES = (1, 0, 0, 0, 0, 0, 3, 0, 0, 4, 0, 0, 0, 0, 0, 2)


@pytest.mark.parametrize("other", DEVICES)
def test_noise_is_the_same_to_the_bit(other: str) -> None:
    seeds = torch.arange(-3, 5) * 2**55
    draws = [
        CounterNoise(stream_keys(seeds.to(device), seeds.to(device)), seeds.to(device) % 7)
        for device in ("cpu", other)
    ]
    assert torch.equal(draws[0].start(40), draws[1].start(40).cpu())
    assert torch.equal(draws[0].renoise(40), draws[1].renoise(40).cpu())


@pytest.mark.parametrize("other", DEVICES)
def test_a_step_equals_that_on_the_cpu(other: str) -> None:
    requests = [latin_request({i: 1 + i % 4}, seed=i) for i in range(12)]
    domain = torch.stack([torch.from_numpy(r.full_domain(VOCABULARY)) for r in requests])
    beliefs = []
    for name in ("cpu", other):
        model, device = small_model().to(name), torch.device(name)
        state = first_state(requests, CELLS, domain.to(device), "uniform", VOCABULARY, device)
        plan = plan_attention(model.config, RELATIONS, device)
        beliefs.append(EagerStepper(model).step(state, plan, None).belief.cpu())
    torch.testing.assert_close(beliefs[0], beliefs[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_seed_gives_the_same_answer_in_any_batch(device: str) -> None:
    model, chooser = small_model().to(device), random.Random(0)
    requests = [
        latin_request({chooser.randrange(CELLS): 1}, seed=seed, guided=seed % 3 == 0)
        for seed in range(30)
    ]
    alone = [run_together(model, [request])[0] for request in requests]
    order = chooser.sample(range(30), 30)
    joining = [chooser.randrange(12) for _ in order]
    mixed = run_together(model, [requests[i] for i in order], joining)
    for index, result in zip(order, mixed, strict=True):
        assert np.array_equal(result.tokens, alone[index].tokens)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("guided", [False, True])
def test_the_bundled_checkpoint_solves(guided: bool, device: str) -> None:
    checkpoint = load_checkpoint(bundled_checkpoints()["sudoku"], device)
    request = replace(encode(SudokuProblem.create(CLUES, 2, 2)), guided=guided)
    with Engine({"sudoku": checkpoint}) as engine:
        result = asyncio.run(engine.denoise("sudoku", request))
    assert result.reason is FinishReason.SATISFIED
