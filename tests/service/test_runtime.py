"""From settings to a running server, with a real engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.batch_state import BatchState
from engine.checkpoint import save_checkpoint
from engine.sampler import StepResult
from engine.stepper import EagerStepper
from service.client import InkfillClient
from service.runtime import running_server
from service.settings import load_settings
from tests.engine.factories import plain_model


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
async def test_a_text_model_computes_with_all_of_torchs_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    step = EagerStepper.step

    def watched_step(stepper: EagerStepper, state: BatchState, *rest: object) -> StepResult:
        seen.add(torch.get_num_threads())
        return step(stepper, state, *rest)

    monkeypatch.setattr(EagerStepper, "step", watched_step)
    save_checkpoint(plain_model(), tmp_path / "text")
    settings = load_settings(port=0, models=(tmp_path / "text",), device="cpu")
    async with running_server(settings) as server, InkfillClient(server.address) as client:
        await client.denoise("text", length=4, prompt=[1, 2])
    assert seen == {2}
