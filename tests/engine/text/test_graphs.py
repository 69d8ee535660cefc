"""Recorded steps answer as eager ones; here a record is the function, run again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest

from engine.canvas import FREE, CanvasRequest, CanvasResult, FinishReason, SamplingParams
from engine.checkpoint import Checkpoint
from engine.text.graphs import GraphTextStepper
from engine.text.kv_cache import CacheSizes
from engine.text.request import TextRequest
from engine.text.tensors import copy_tensors
from tests.engine.factories import checkpoint, plain_model
from tests.engine.text.running import run, text_batch
from tests.engine.text.test_text_batch import LENGTH, VOCABULARY, random_request

Out = TypeVar("Out")


class Rerun:
    """Like a CUDA graph: replays fill the outputs of the first run. Counts both."""

    def __init__(self) -> None:
        self.records = self.replays = 0
        self.outputs: list[Any] = []

    def __call__(self, function: Callable[[], Out]) -> tuple[Callable[[], object], Out]:
        self.records += 1
        outputs: Any = function()
        self.outputs.append(outputs)

        def replay() -> None:
            self.replays += 1
            for target, source in zip(outputs or (), function() or (), strict=True):  # type: ignore[call-overload]
                copy_tensors(source, target)

        return replay, outputs


@pytest.fixture(scope="module")
def known() -> Checkpoint:
    return checkpoint(plain_model(vocab_size=VOCABULARY, canvas_length=LENGTH))


@pytest.mark.parametrize("together", [1, 7])
def test_recorded_steps_answer_as_eager_ones(known: Checkpoint, together: int) -> None:
    chooser = random.Random(together)
    requests = [random_request(chooser) for _ in range(40)]
    expected = [run(text_batch(known), [request]).results[0] for request in requests]
    recorder = Rerun()
    batch = text_batch(known, stepper=lambda network: GraphTextStepper(network, recorder))
    results = []
    for first in range(0, len(requests), together):
        group = requests[first : first + together]
        results += run(batch, group, [chooser.randrange(5) for _ in group]).results
    for one, other in zip(results, expected, strict=True):
        assert np.array_equal(one.tokens, other.tokens)
        assert one.steps == other.steps
        np.testing.assert_allclose(one.entropy, other.entropy, atol=1e-3)
    assert recorder.replays > 3 * recorder.records  # they are used again


def test_warming_up_records_each_size_once_the_largest_first(known: Checkpoint) -> None:
    recorder = Rerun()
    made: list[GraphTextStepper] = []

    def stepper(network: Any) -> GraphTextStepper:
        made.append(GraphTextStepper(network, recorder))
        return made[0]

    sizes = CacheSizes(sequences=5, max_context=64, full_pages=5, ring_pages=2)
    batch = text_batch(known, sizes=sizes, stepper=stepper)
    made[0].warm_up()
    recorded = [len(ends[0]) for _, ends in recorder.outputs]
    assert recorded == [5, 4, 3, 2, 1]  # nothing larger than the batch can be
    chooser = random.Random(0)
    texts = [r for r in map(random_request, [chooser] * 60) if isinstance(r, TextRequest)]
    run(batch, [replace(r, prompt=(), max_tokens=LENGTH) for r in texts[:5]])
    assert recorder.records == 5  # all positions of five texts of one canvas are free


def test_whole_numbers_among_the_knobs_leave_those_of_later_requests_as_they_are(
    known: Checkpoint,
) -> None:
    whole = SamplingParams(max_steps=6, t_min=1, t_max=1, entropy_bound=1, confidence=0)
    broken = SamplingParams(max_steps=6, t_min=0.4, t_max=0.7, entropy_bound=0.5, confidence=0.1)
    first, second = (
        TextRequest(prompt=(1,), max_tokens=LENGTH, sampling=sampling)
        for sampling in (whole, broken)
    )
    (expected,) = run(text_batch(known), [second]).results
    batch = text_batch(known, stepper=lambda network: GraphTextStepper(network, Rerun()))
    run(batch, [first])  # recorded with these
    (result,) = run(batch, [second]).results
    assert np.array_equal(result.tokens, expected.tokens)
    np.testing.assert_allclose(result.entropy, expected.entropy, atol=1e-3)


def test_a_pass_that_is_recorded_late_reads_what_its_first_run_would_have_overwritten(
    known: Checkpoint,
) -> None:
    prompts = [tuple(i * k % VOCABULARY for i in range(300)) for k in (3, 7)]
    requests = [TextRequest(prompt=p, max_tokens=1, sampling=SamplingParams()) for p in prompts]
    expected = [run(text_batch(known, chunk=128), [request]).results[0] for request in requests]
    batch = text_batch(
        known,
        chunk=128,  # as long as a ring
        budget=256,
        stepper=lambda network: GraphTextStepper(network, Rerun()),
    )
    results = run(batch, requests, joining=[0, 1]).results  # the first is alone, then both
    for one, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(one.entropy, other.entropy, atol=1e-3)


def test_padding_does_not_keep_a_short_canvas_from_being_stable(known: Checkpoint) -> None:
    sampling = SamplingParams(max_steps=30, confidence=100.0, t_min=0.01, t_max=0.01)
    request = CanvasRequest(clamps=np.full(3, FREE), sampling=sampling)
    batch = text_batch(known, stepper=lambda network: GraphTextStepper(network, Rerun()))
    (result,) = run(batch, [request]).results
    assert isinstance(result, CanvasResult)
    assert result.reason is FinishReason.STABLE


def test_what_cannot_be_recorded_any_more_is_taken_eagerly(known: Checkpoint) -> None:
    rerun, chooser = Rerun(), random.Random(3)
    requests = [random_request(chooser) for _ in range(20)]

    def full(function: Callable[[], Out]) -> tuple[Callable[[], object], Out]:
        if rerun.records == 2:
            raise RuntimeError("out of memory")
        return rerun(function)

    batch = text_batch(known, stepper=lambda network: GraphTextStepper(network, full))
    for request in requests:
        (result,) = run(batch, [request]).results
        (expected,) = run(text_batch(known), [request]).results
        assert np.array_equal(result.tokens, expected.tokens)
    assert rerun.records == 2
    assert rerun.replays > 2


def test_no_more_records_are_kept_than_memory_is_to_hold(
    known: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.text.graphs._MOST", 3)
    rerun, chooser = Rerun(), random.Random(4)
    batch = text_batch(known, stepper=lambda network: GraphTextStepper(network, rerun))
    for request in (random_request(chooser) for _ in range(20)):
        (result,) = run(batch, [request]).results
        (expected,) = run(text_batch(known), [request]).results
        assert np.array_equal(result.tokens, expected.tokens)
    assert rerun.records == 3
