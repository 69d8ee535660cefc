"""What a text model refuses, by the name of the field, and how many it takes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from engine.canvas import FREE, CanvasError, CanvasRequest, SamplingParams
from engine.job import Job
from engine.text.kv_cache import CacheSizes
from engine.text.request import TextRequest
from engine.text.text_batch import TextBatch
from engine.text.text_lane import TextLane
from tests.engine.factories import RELATIONS, checkpoint, plain_model
from tests.engine.text.running import text_batch

CONTEXT, LENGTH = 64, 8


@pytest.fixture(scope="module")
def lane() -> TextLane:
    known = checkpoint(plain_model(vocab_size=40, canvas_length=LENGTH))
    sizes = CacheSizes(sequences=2, max_context=CONTEXT, full_pages=2, ring_pages=2)
    batch: TextBatch[Job] = text_batch(known, sizes=sizes)  # type: ignore[assignment]
    return TextLane(known.config, batch, 2, CONTEXT)


def text(prompt: int, max_tokens: int) -> TextRequest:
    return TextRequest(prompt=(1,) * prompt, max_tokens=max_tokens, sampling=SamplingParams())


def canvas(prompt: int, length: int) -> CanvasRequest:
    return CanvasRequest(clamps=np.full(length, FREE), prompt=(1,) * prompt)


@pytest.mark.parametrize("request_", [text(48, 9), text(0, 64), canvas(61, 3), canvas(56, 8)])
def test_a_context_may_be_full_to_the_last_token(
    lane: TextLane, request_: TextRequest | CanvasRequest
) -> None:
    lane.validate(request_)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (text(49, 9), "prompt: got 49 tokens, accepted: at most 48 before 16 new ones, 64 in all"),
        (text(0, 65), "max_tokens: asks for canvases of 72 tokens, accepted: at most 64"),
        (canvas(62, 3), "prompt: got 62 tokens, accepted: at most 61 before 3 new ones"),
        (text(1, 0), "max_tokens: got 0"),
    ],
)
def test_what_does_not_fit_the_context_is_refused_in_whole_canvases(
    lane: TextLane, request_: TextRequest | CanvasRequest, said: str
) -> None:
    with pytest.raises(CanvasError, match=re.escape(said)):
        lane.validate(request_)


def test_what_only_small_models_have_is_refused(lane: TextLane) -> None:
    clamps = np.full(LENGTH, FREE)
    with pytest.raises(CanvasError, match="wants_belief"):
        lane.validate(CanvasRequest(clamps=clamps, wants_belief=True))
    length = RELATIONS.length
    wide = TextLane(plain_model(canvas_length=length).config, lane._batch, 2, CONTEXT)
    with pytest.raises(CanvasError, match="relations: a text model has none"):
        wide.validate(CanvasRequest(clamps=np.full(length, FREE), relations=RELATIONS))


async def test_places_are_taken_until_they_are_given_back(lane: TextLane) -> None:
    jobs = [Job.of("text", canvas(9, 3), None) for _ in range(3)]
    assert lane.free == 2
    for job in jobs[:2]:
        assert lane.has_room(job)
        lane.admit(job)
    assert lane.free == 0
    assert not lane.has_room(jobs[2])
    assert list(lane.jobs) == jobs[:2]
    lane.clear()
    assert (lane.free, list(lane.jobs)) == (2, [])
    assert lane.has_room(jobs[2])
