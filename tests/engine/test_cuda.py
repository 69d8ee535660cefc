"""The engine on a GPU does what it does on the CPU."""

import asyncio
from dataclasses import replace

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
from tests.engine.factories import RELATIONS, VOCABULARY, latin_request, small_model

pytestmark = pytest.mark.cuda
CLUES = (1, 0, 0, 0, 0, 0, 3, 0, 0, 4, 0, 0, 0, 0, 0, 2)


def test_noise_is_the_same_to_the_bit() -> None:
    seeds = torch.arange(-3, 5) * 2**55
    draws = [
        CounterNoise(stream_keys(seeds.to(device), seeds.to(device)), seeds.to(device) % 7)
        for device in ("cpu", "cuda")
    ]
    assert torch.equal(draws[0].start(40), draws[1].start(40).cpu())
    assert torch.equal(draws[0].renoise(40), draws[1].renoise(40).cpu())


def test_a_step_equals_that_on_the_cpu() -> None:
    requests = [latin_request({i: 1 + i % 4}, seed=i) for i in range(12)]
    domain = torch.stack([torch.from_numpy(r.full_domain(VOCABULARY)) for r in requests])
    beliefs = []
    for name in ("cpu", "cuda"):
        model, device = small_model().to(name), torch.device(name)
        state = first_state(requests, domain.to(device), "uniform", VOCABULARY, device)
        plan = plan_attention(model.config, RELATIONS, device)
        beliefs.append(EagerStepper(model).step(state, plan, None, None).belief.cpu())
    torch.testing.assert_close(beliefs[0], beliefs[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("guided", [False, True])
def test_the_bundled_checkpoint_solves(guided: bool) -> None:
    checkpoint = load_checkpoint(bundled_checkpoints()["sudoku"], "cuda")
    request = replace(encode(SudokuProblem.create(CLUES, 2, 2)), guided=guided)
    with Engine({"sudoku": checkpoint}) as engine:
        result = asyncio.run(engine.denoise("sudoku", request))
    assert result.reason is FinishReason.SATISFIED
