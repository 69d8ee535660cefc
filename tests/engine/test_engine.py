"""The engine in its thread: submitting, streaming, cancelling, stopping."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from engine.batcher import CanvasBatch, StepOutcome
from engine.canvas import CanvasError, Draft, SamplingParams
from engine.client import EngineOverloadedError, EngineStoppedError, UnknownModelError
from engine.cores import usable_cores
from engine.engine import Engine
from engine.job import Job
from engine.limits import EngineLimits
from engine.text.request import TextRequest
from tests.engine.factories import RELATIONS, checkpoint, free_model, latin_request, small_model

ENDLESS = SamplingParams(max_steps=4096, confidence=0.0)


async def test_a_canvas_comes_back_and_its_drafts_come_in_order(engine: Engine) -> None:
    drafts: list[Draft] = []
    request = latin_request(constraint=None)
    result = await engine.denoise("latin", request, drafts.append)
    assert [draft.step for draft in drafts] == list(range(1, 13))
    assert np.array_equal(drafts[-1].tokens, result.tokens)
    assert result.queue_ms >= 0
    assert result.compute_ms > 0


async def test_more_canvases_than_the_batch_holds_all_come_back(engine: Engine) -> None:
    requests = [latin_request(seed=seed, constraint=None) for seed in range(6)]
    results = await asyncio.gather(*(engine.denoise("latin", r) for r in requests))
    again = [await engine.denoise("latin", r) for r in requests]
    for one, other in zip(results, again, strict=True):
        assert np.array_equal(one.tokens, other.tokens)


async def test_a_full_queue_refuses_and_recovers(engine: Engine) -> None:
    endless = latin_request(constraint=None, sampling=ENDLESS)
    tasks = [asyncio.create_task(engine.denoise("latin", endless)) for _ in range(4)]
    await asyncio.sleep(0.2)  # admitted
    tasks += [asyncio.create_task(engine.denoise("latin", endless)) for _ in range(6)]
    await asyncio.sleep(0)  # queued
    with pytest.raises(EngineOverloadedError, match="6 canvases are waiting"):
        await engine.denoise("latin", latin_request())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (await engine.denoise("latin", latin_request())).steps >= 1


async def test_cancelling_the_caller_frees_its_place(engine: Engine) -> None:
    endless = latin_request(constraint=None, sampling=ENDLESS)
    tasks = [asyncio.create_task(engine.denoise("latin", endless)) for _ in range(4)]
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    result = await asyncio.wait_for(engine.denoise("latin", latin_request()), 5)
    assert result.steps >= 1


async def test_an_unknown_model_is_named_with_those_that_are_loaded(engine: Engine) -> None:
    with pytest.raises(UnknownModelError, match="'none' is not loaded; loaded: free, latin"):
        await engine.denoise("none", latin_request())


async def test_a_model_of_a_task_refuses_a_canvas_without_its_relations(engine: Engine) -> None:
    with pytest.raises(CanvasError, match=r"relations: .*column, row"):
        await engine.denoise("latin", latin_request(relations=None))


async def test_a_prompt_before_a_canvas_of_no_text_model_is_refused(engine: Engine) -> None:
    with pytest.raises(CanvasError, match="prompt: a model for free reads no prompt"):
        await engine.denoise("free", latin_request(relations=None, prompt=(1,)))


async def test_two_models_run_side_by_side(engine: Engine) -> None:
    one, other = await asyncio.gather(
        engine.denoise("latin", latin_request()),
        engine.denoise("free", latin_request(relations=None)),
    )
    assert one.steps >= 1
    assert other.steps >= 1


async def test_stopping_fails_what_is_under_way_and_refuses_more() -> None:
    engine = Engine({"latin": checkpoint(small_model())})
    endless = latin_request(constraint=None, sampling=ENDLESS)
    task = asyncio.create_task(engine.denoise("latin", endless))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(engine.stop)
    with pytest.raises(EngineStoppedError):
        await task
    with pytest.raises(EngineStoppedError):
        await engine.denoise("latin", latin_request())


async def test_the_end_of_the_engine_is_awaited_by_any_number(engine: Engine) -> None:
    impatient = asyncio.create_task(engine.ended())
    waiting = [asyncio.create_task(engine.ended()) for _ in range(3)]
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in waiting)
    await asyncio.to_thread(engine.stop)
    await asyncio.wait_for(asyncio.gather(*waiting, engine.ended()), 5)


@pytest.fixture
def three_threads() -> Iterator[None]:
    """This thread's torch has three; those to come have one, as after an earlier engine."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    earlier = threading.Thread(target=torch.set_num_threads, args=(1,))
    earlier.start()
    earlier.join()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize(
    ("names", "threads", "small", "expected"),
    [
        ("latin", None, False, 1),
        ("latin", 2, False, 1),
        ("free", None, False, min(3, usable_cores())),
        ("free", 2, False, 2),
        ("latin free", None, False, min(3, usable_cores())),
        ("latin free", 2, True, 1),
    ],
)
async def test_torch_has_one_thread_where_all_is_compiled_or_small_and_else_as_many_as_allowed(
    monkeypatch: pytest.MonkeyPatch, names: str, threads: int | None, small: bool, expected: int
) -> None:
    if not small:
        monkeypatch.setattr("engine.models._WORTH_THREADS", 1)
    seen: set[int] = set()
    step = CanvasBatch.step

    def watched_step(batch: CanvasBatch[Job]) -> StepOutcome[Job]:
        seen.add(torch.get_num_threads())
        return step(batch)

    monkeypatch.setattr(CanvasBatch, "step", watched_step)
    known = {"latin": small_model(), "free": free_model()}
    models = {name: checkpoint(known[name]) for name in names.split()}
    with Engine(models, EngineLimits(threads=threads)) as engine:
        for name in models:
            relations = RELATIONS if name == "latin" else None
            await engine.denoise(name, latin_request(relations=relations))
    assert seen == {expected}
    assert torch.get_num_threads() == 3


def test_models_are_described(engine: Engine) -> None:
    names = [info.name for info in engine.models()]
    info = engine.model("latin")
    assert names == ["free", "latin"]  # as they were given
    assert (info.task, info.device, info.precision) == ("latin", "cpu", "float32")
    assert info.parameters == sum(p.numel() for p in small_model().parameters())


async def test_a_text_and_canvases_of_a_text_model_come_back_with_their_events(
    text_engine: Engine,
) -> None:
    events: list[object] = []
    request = TextRequest(prompt=(1, 2), max_tokens=70, sampling=SamplingParams(max_steps=2))
    text, canvas = await asyncio.gather(
        text_engine.generate("text", request, events.append),
        text_engine.denoise("text", latin_request(relations=None, constraint=None, prompt=(3,))),
    )
    assert len(text.tokens) == 70
    assert [type(event).__name__ for event in events] == [
        *("CanvasDraft", "CanvasDraft", "CanvasCommit"),
        *("CanvasDraft", "CanvasDraft", "CanvasCommit"),
    ]
    assert len(canvas.tokens) == 16
    assert text_engine.model("text").max_context == 256


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": (9,)}, r"prompt\[0\]: token 9 is outside the vocabulary"),
        ({"max_tokens": 0}, "max_tokens: got 0, accepted: at least 1"),
        ({"max_tokens": 257}, "max_tokens: asks for canvases of 320 tokens, accepted: at most 256"),
        ({"prompt": (1,) * 200}, "prompt: got 200 tokens, accepted: at most 192 before 64 new"),
        ({"seed": 2**63}, "seed: got 9223372036854775808, accepted: a 64-bit integer"),
    ],
)
async def test_a_text_that_does_not_fit_is_refused_by_name(
    text_engine: Engine, changes: dict[str, Any], said: str
) -> None:
    values = {"prompt": (), "max_tokens": 3, "sampling": SamplingParams()} | changes
    with pytest.raises(CanvasError, match=said):
        await text_engine.generate("text", TextRequest(**values))


async def test_a_model_of_canvases_generates_no_text(engine: Engine) -> None:
    request = TextRequest(prompt=(), max_tokens=3, sampling=SamplingParams())
    with pytest.raises(CanvasError, match="model: is for latin, and generates no text"):
        await engine.generate("latin", request)


async def test_more_texts_than_the_memory_holds_wait_and_come_back(text_engine: Engine) -> None:
    request = TextRequest(prompt=(1,) * 150, max_tokens=3, sampling=SamplingParams(max_steps=2))
    results = await asyncio.gather(*(text_engine.generate("text", request) for _ in range(9)))
    assert len({tuple(result.tokens.tolist()) for result in results}) == 1
    assert max(result.queue_ms for result in results) > min(result.queue_ms for result in results)
