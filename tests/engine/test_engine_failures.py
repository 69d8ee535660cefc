"""What fails in the engine's thread is answered, and fails nothing else."""

import asyncio
import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.batcher import CanvasBatch
from engine.canvas import SamplingParams
from engine.client import DenoisingError, EngineStoppedError
from engine.engine import Engine
from engine.layout import Layout
from engine.limits import EngineLimits
from engine.stepper import EagerStepper
from engine.text.request import TextRequest
from engine.text.step import EagerTextStepper
from engine.text.text_batch import TextBatch
from engine.text.text_lane import TextLane
from tests.engine.factories import checkpoint, latin_request, plain_model, small_model

ENDLESS = SamplingParams(max_steps=4096, confidence=0.0)


async def test_a_failing_batch_fails_its_own_canvases_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(EagerStepper, "step", explode)
    with pytest.raises(DenoisingError, match="boom"):
        await engine.denoise("free", latin_request(relations=None))
    assert (await engine.denoise("latin", latin_request())).steps >= 1


def fail_after(monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> None:
    """Let a method do its work and then fail."""
    whole = getattr(kind, name)

    def failing(*args: object) -> None:
        whole(*args)
        raise RuntimeError("boom")

    monkeypatch.setattr(kind, name, failing)


async def test_a_batch_that_fails_as_a_canvas_leaves_answers_that_canvas_too(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_after(monkeypatch, CanvasBatch, "step")
    last = latin_request(constraint=None, sampling=SamplingParams(max_steps=1))
    with pytest.raises(DenoisingError, match="boom"):
        await asyncio.wait_for(engine.denoise("latin", last), 5)


@pytest.mark.parametrize("where", ["_encode", "_begin_canvases", "_go_on"])
async def test_a_text_step_that_fails_halfway_answers_all_and_keeps_no_page(
    text_engine: Engine, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    lane = text_engine._models["text"].lane
    assert isinstance(lane, TextLane)
    free = copy.deepcopy(lane._batch._network.cache._free)
    texts = [
        TextRequest(prompt=(1, 2), max_tokens=most, sampling=SamplingParams(max_steps=1))
        for most in (3, 128)
    ]
    with monkeypatch.context() as patch:
        if where == "_begin_canvases":
            patch.setattr("engine.text.text_batch.first_text_state", None)
        else:
            fail_after(patch, TextBatch, where)
        tasks = [text_engine.generate("text", text) for text in texts]
        ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [type(error) for error in ended] == [DenoisingError] * 2
    assert {kind: sorted(pages) for kind, pages in lane._batch._network.cache._free.items()} == free
    assert len((await text_engine.generate("text", texts[0])).tokens) == 3


def end_thread(*_: object) -> None:
    raise SystemExit


@pytest.mark.parametrize("where", ["between steps", "in a step"])
async def test_a_worker_that_dies_fails_every_canvas_and_refuses_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    endless = latin_request(constraint=None, sampling=ENDLESS)
    tasks = [asyncio.create_task(engine.denoise("latin", endless)) for _ in range(6)]
    await asyncio.sleep(0.1)  # four run, two wait
    if where == "between steps":
        monkeypatch.setattr(engine._waiting, "admit", end_thread)
    else:
        monkeypatch.setattr(CanvasBatch, "step", end_thread)
    ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    assert [str(error) for error in ended] == ["the engine has failed"] * 6
    await asyncio.wait_for(engine.ended(), 5)
    with pytest.raises(EngineStoppedError, match="the engine has failed"):
        await engine.denoise("latin", latin_request())


async def test_a_worker_that_dies_fails_what_it_has_just_taken_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Layout, "of", end_thread)
    with pytest.raises(EngineStoppedError, match="the engine has failed"):
        await asyncio.wait_for(engine.denoise("latin", latin_request()), 5)


async def test_a_failed_step_of_a_text_model_fails_what_runs_and_later_ones_are_answered(
    text_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = TextRequest(prompt=(1,) * 99, max_tokens=3, sampling=SamplingParams(max_steps=2))
    expected = await text_engine.generate("text", request)
    with monkeypatch.context() as patched:
        patched.setattr(EagerTextStepper, "step", lambda *_: 1 / 0)
        several = (text_engine.generate("text", request) for _ in range(3))
        failed = await asyncio.gather(*several, return_exceptions=True)
    assert all(isinstance(failure, DenoisingError) for failure in failed)
    again = await text_engine.generate("text", request)
    assert np.array_equal(again.tokens, expected.tokens)


@pytest.mark.parametrize("model", ["latin", "text"])
async def test_the_engine_ends_when_its_device_computes_no_more(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(CanvasBatch, "step", broken)
    monkeypatch.setattr(EagerTextStepper, "step", broken)
    for module in ("engine.engine", "engine.canvas_lane"):
        monkeypatch.setattr(f"{module}.check_device", broken)
    text = TextRequest(prompt=(1,), max_tokens=3, sampling=SamplingParams())
    models = {"latin": checkpoint(small_model()), "text": checkpoint(plain_model())}
    with Engine(models, EngineLimits(max_context=256)) as engine:
        asked = {
            "text": lambda: engine.generate("text", text),
            "latin": lambda: engine.denoise("latin", latin_request(constraint=None)),
        }
        with pytest.raises((DenoisingError, EngineStoppedError)):
            await asked[model]()
        await asyncio.wait_for(engine.ended(), 10)
        with pytest.raises(EngineStoppedError):
            await engine.generate("text", text)


async def test_logits_that_are_no_numbers_are_an_error_and_no_answer() -> None:
    model = plain_model()
    model.norm.weight.fill_(torch.nan)
    with (
        Engine({"text": checkpoint(model)}, EngineLimits(max_batch=2)) as engine,
        pytest.raises(DenoisingError, match="logits are no numbers"),
    ):
        await engine.denoise("text", latin_request(relations=None, constraint=None))


def test_an_engine_that_is_left_open_ends_its_worker_before_python_does() -> None:
    script = """
import atexit, threading
from engine.engine import Engine
from tests.engine.factories import checkpoint, small_model

atexit.register(lambda: print([each.name for each in threading.enumerate()]))
engine = Engine({"latin": checkpoint(small_model())})
assert "inkfill-engine" in [each.name for each in threading.enumerate()]
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("]\n"), done.stderr
    assert "inkfill-engine" not in done.stdout
