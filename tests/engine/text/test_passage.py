"""A text ends where an end token or its length says so, and goes on from whole canvases."""

from __future__ import annotations

import numpy as np
import pytest

from engine.canvas import CanvasResult, FinishReason, SamplingParams
from engine.text.passage import cached_positions, passage_of
from engine.text.request import CanvasCommit, TextFinish, TextRequest, TextResult
from engine.ticket import Ticket

LENGTH, END = 4, 9


def request(max_tokens: int) -> TextRequest:
    return TextRequest(
        prompt=(1, 2, 3),
        max_tokens=max_tokens,
        sampling=SamplingParams(),
        seed=5,
        eos_token_ids=(END,),
    )


def finished(*tokens: int) -> CanvasResult:
    return CanvasResult(
        tokens=np.array(tokens),
        entropy=np.array(tokens) / 10,
        candidate_mass=np.array(tokens) / 100,
        reason=FinishReason.STABLE,
        steps=3,
        queue_ms=0.0,
        compute_ms=0.0,
    )


def test_a_text_ends_before_its_first_end_token() -> None:
    passage = passage_of(Ticket(request(12)), LENGTH)
    went_on = passage.take(finished(1, 2, 3, 4), 0.0)
    assert (went_on.result, list(went_on.tokens)) == (None, [1, 2, 3, 4])
    ended = passage.take(finished(5, END, 6, END), 0.0)
    assert isinstance(ended.result, TextResult)
    assert ended.result.tokens.tolist() == [1, 2, 3, 4, 5]
    assert ended.result.entropy.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert ended.result.candidate_mass.tolist() == [0.01, 0.02, 0.03, 0.04, 0.05]
    assert ended.result.finish is TextFinish.END_OF_TEXT
    assert (ended.result.canvases, ended.result.steps) == (2, 6)
    (commit,) = ended.events
    assert isinstance(commit, CanvasCommit)
    assert (commit.block, commit.tokens.tolist()) == (1, [5])


@pytest.mark.parametrize("last", [(5, 6, 7, END), (5, 6, END, 7)])
def test_an_end_token_behind_the_last_token_asked_for_is_not_seen(last: tuple[int, ...]) -> None:
    passage = passage_of(Ticket(request(6)), LENGTH)
    passage.take(finished(1, 2, 3, 4), 0.0)
    ended = passage.take(finished(*last), 0.0)
    assert isinstance(ended.result, TextResult)
    assert ended.result.tokens.tolist() == [1, 2, 3, 4, 5, 6]
    assert ended.result.finish is TextFinish.MAX_TOKENS


def test_every_canvas_of_a_text_has_noise_of_its_own() -> None:
    passage = passage_of(Ticket(request(12)), LENGTH)
    seen = []
    for _ in range(3):
        canvas = passage.canvas()
        seen.append((canvas.seed, canvas.candidate))
        passage.take(finished(1, 2, 3, 4), 0.0)
    assert seen == [(5, 0), (5, 1), (5, 2)]


@pytest.mark.parametrize(("max_tokens", "cached"), [(1, 3), (4, 3), (5, 7), (8, 7), (9, 11)])
def test_all_canvases_but_the_last_are_encoded(max_tokens: int, cached: int) -> None:
    assert cached_positions(request(max_tokens), LENGTH) == cached
