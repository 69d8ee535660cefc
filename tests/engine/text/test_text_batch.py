"""Texts and canvases after prompts: joining, leaving, and the same answer in any company."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.canvas import (
    FREE,
    CanvasRequest,
    CanvasResult,
    Draft,
    FinishReason,
    SamplingParams,
)
from engine.checkpoint import Checkpoint
from engine.domain import ANYTHING, Domain
from engine.text.kv_cache import CacheSizes
from engine.text.network import Past
from engine.text.request import CanvasCommit, CanvasDraft, TextRequest, TextResult
from engine.text.step import EagerTextStepper
from engine.ticket import Request, Ticket
from tests.engine.factories import checkpoint, plain_model
from tests.engine.text.running import run, text_batch

VOCABULARY, LENGTH = 40, 8


@pytest.fixture(scope="module")
def known() -> Checkpoint:
    """A model of 40 tokens with canvases of 8 and a window of 16."""
    return checkpoint(plain_model(vocab_size=VOCABULARY, canvas_length=LENGTH))


def random_request(chooser: random.Random) -> Request:
    """A text or a canvas, with any prompt, clamps, domain and knobs."""
    prompt = tuple(chooser.randrange(VOCABULARY) for _ in range(chooser.choice([0, 1, 7, 90])))
    sampling = SamplingParams(
        max_steps=chooser.randrange(1, 9),
        entropy_bound=chooser.choice([0.1, 3.0]),
        confidence=chooser.choice([0.0, 2.5]),
        stability=chooser.randrange(2),
    )
    seed = chooser.randrange(10**6)
    if chooser.random() < 0.5:
        return TextRequest(
            prompt=prompt,
            max_tokens=chooser.randrange(1, 25),
            sampling=sampling,
            seed=seed,
            eos_token_ids=tuple(chooser.sample(range(VOCABULARY), chooser.randrange(3))),
        )
    length = chooser.randrange(1, LENGTH + 1)
    sets = np.array([[chooser.random() < 0.3 for _ in range(VOCABULARY)] for _ in range(2)])
    sets[:, 5] = True
    which = np.array([chooser.choice([ANYTHING, 0, 1]) for _ in range(length)])
    clamps = np.where([chooser.random() < 0.3 for _ in range(length)], 5, FREE)
    domain = Domain.of_sets(sets, which) if chooser.random() < 0.5 else None
    return CanvasRequest(clamps=clamps, domain=domain, prompt=prompt, sampling=sampling, seed=seed)


def test_200_requests_answer_the_same_alone_and_in_random_mixed_batches(known: Checkpoint) -> None:
    chooser = random.Random(0)
    requests = [random_request(chooser) for _ in range(200)]
    alone = [run(text_batch(known), [request]).results[0] for request in requests]
    for chunks in (0, 1):
        order = chooser.sample(range(200), 200)
        joining = [chooser.randrange(60) for _ in order]
        batch = text_batch(known, budget=(16, 64)[chunks])
        mixed = run(batch, [requests[i] for i in order], joining).results
        for index, result in zip(order, mixed, strict=True):
            assert np.array_equal(result.tokens, alone[index].tokens)
            assert np.array_equal(result.entropy, alone[index].entropy)
            assert result.steps == alone[index].steps
        assert len(batch) == 0


@given(st.integers(0, 10**6))
def test_every_draft_and_answer_holds_clamps_and_domains(seed: int) -> None:
    chooser = random.Random(seed)
    known = checkpoint(plain_model(vocab_size=VOCABULARY, canvas_length=LENGTH))
    request = random_request(chooser)
    while not isinstance(request, CanvasRequest):
        request = random_request(chooser)
    ran = run(text_batch(known), [request], drafts=True)
    shown = [
        draft.tokens for draft in ran.events[0] if not isinstance(draft, CanvasCommit | CanvasDraft)
    ]
    assert len(shown) == ran.results[0].steps
    for tokens in (*shown, ran.results[0].tokens):
        clamped = request.clamps != FREE
        assert np.array_equal(tokens[clamped], request.clamps[clamped])
        if request.domain is not None:
            assert request.domain.allows(np.arange(request.length), tokens).all()


def test_drafts_and_commits_come_in_order_and_add_up_to_the_text(known: Checkpoint) -> None:
    request = TextRequest(prompt=(1, 2), max_tokens=19, sampling=SamplingParams(max_steps=3))
    ran = run(text_batch(known), [request], drafts=True)
    (result,) = ran.results
    assert isinstance(result, TextResult)
    seen = [
        (event.block, event.draft.step if isinstance(event, CanvasDraft) else "commit")
        for event in ran.events[0]
        if isinstance(event, CanvasDraft | CanvasCommit)
    ]
    assert seen == [(block, at) for block in range(3) for at in (1, 2, 3, "commit")]
    commits = [event.tokens for event in ran.events[0] if isinstance(event, CanvasCommit)]
    assert np.concatenate(commits).tolist() == result.tokens.tolist()
    assert [len(tokens) for tokens in commits] == [8, 8, 3]
    assert (result.canvases, result.steps) == (3, 9)
    assert len(result.entropy) == len(result.candidate_mass) == 19


def test_drafts_tell_the_step_of_their_own_canvas(known: Checkpoint) -> None:
    ran = run(text_batch(known), [canvas(seed=1), canvas(seed=2)], joining=[0, 2], drafts=True)
    for events in ran.events:
        assert [event.step for event in events if isinstance(event, Draft)] == [1, 2, 3, 4]


def test_a_long_prompt_does_not_stall_a_running_canvas(known: Checkpoint) -> None:
    batch = text_batch(known, chunk=8, budget=8)
    short = Ticket(canvas(max_steps=10), wants_drafts=True)
    batch.admit(short)
    batch.step()
    batch.admit(Ticket(canvas(prompt=(3,) * 400)))
    steps = [
        event.step for _ in range(8) for ticket, event in batch.step().events if ticket is short
    ]
    assert steps == list(range(2, 10))  # a step a cycle, while fifty chunks are encoded


def test_prompts_are_encoded_in_turn(known: Checkpoint) -> None:
    batch = text_batch(known, chunk=8, budget=8)
    batch.admit(Ticket(canvas(prompt=(3,) * 400)))
    short = Ticket(canvas(prompt=(4,) * 8, max_steps=1))
    batch.admit(short)
    done = [departure.ticket for _ in range(3) for departure in batch.step().departures]
    assert done == [short]


def test_a_pass_is_no_wider_than_its_budget_with_its_padding(known: Checkpoint) -> None:
    widths: list[int] = []

    class Watched(EagerTextStepper):
        def encode(self, pieces: Sequence[Sequence[int]], past: Past) -> None:
            widths.append(len(pieces) * max(map(len, pieces)))
            super().encode(pieces, past)

    batch = text_batch(known, chunk=16, budget=32, stepper=Watched)
    lengths = [16, *[1] * 20, 9, 9, 9, 40]
    run(batch, [canvas(prompt=(1,) * length, max_steps=1) for length in lengths])
    assert max(widths) == 32


def test_a_cancelled_request_leaves_before_another_step_and_gives_its_pages_back(
    known: Checkpoint,
) -> None:
    sizes = CacheSizes(sequences=2, max_context=64, full_pages=2, ring_pages=2)
    batch = text_batch(known, sizes=sizes)
    tickets = [Ticket(canvas(prompt=(1,) * 50, max_steps=99, seed=i)) for i in range(2)]
    for ticket in tickets:
        batch.admit(ticket)
    assert not batch.has_room(canvas())
    batch.step()
    tickets[0].cancelled = True
    batch.step()
    assert batch.tickets == tickets[1:]
    assert batch.has_room(canvas(prompt=(1,) * 64))
    assert not batch.has_room(canvas(prompt=(1,) * 65))
    batch.clear()
    assert len(batch) == 0
    assert batch.has_room(canvas(prompt=(1,) * 128))


def test_a_cycle_encodes_no_more_than_its_budget_with_all_padding(known: Checkpoint) -> None:
    encoded: list[tuple[int, int]] = []

    class Noting(EagerTextStepper):
        def encode(self, pieces: Sequence[Sequence[int]], past: Past) -> None:
            encoded.append((len(pieces), max(map(len, pieces))))
            super().encode(pieces, past)

    batch = text_batch(known, chunk=8, budget=16, stepper=Noting)
    for length in (1, 8, 1, 1, 1, 1, 9, 0):
        batch.admit(Ticket(canvas(prompt=(3,) * length)))
    for _ in range(5):
        batch.step()
    assert encoded == [(2, 8), (4, 1), (1, 8), (1, 1)]


def test_canvases_that_need_no_page_are_still_counted() -> None:
    full = plain_model(vocab_size=VOCABULARY, canvas_length=LENGTH)
    layers = tuple(x for x in full.config.layers if x.layer_type == "full_attention")
    known = checkpoint(plain_model(vocab_size=VOCABULARY, canvas_length=LENGTH, layers=layers))
    sizes = CacheSizes(sequences=2, max_context=64, full_pages=2, ring_pages=0)
    batch = text_batch(known, sizes=sizes)
    for _ in range(2):
        assert batch.has_room(canvas())
        batch.admit(Ticket(canvas()))
    assert not batch.has_room(canvas())


class CancelledWhileAsked(Ticket[Request]):
    """A ticket that its caller cancels between two looks at it."""

    looks = 0

    @property
    def cancelled(self) -> bool:
        self.looks += 1
        return self.looks > 1

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        """What the dataclass sets at first."""


@pytest.mark.parametrize("encoded", [False, True])
def test_whoever_is_cancelled_in_the_middle_of_a_cycle_gives_its_pages_back(
    known: Checkpoint, encoded: bool
) -> None:
    sizes = CacheSizes(sequences=1, max_context=64, full_pages=1, ring_pages=2)
    batch = text_batch(known, sizes=sizes)
    ticket = CancelledWhileAsked(canvas(prompt=(1,) * (0 if encoded else 50), max_steps=99))
    batch.admit(ticket)
    if encoded:
        batch.step()
        ticket.looks = 0
    batch.step()
    batch.step()
    assert len(batch) == 0
    assert batch.has_room(canvas(prompt=(1,) * 64))


def test_pages_are_used_again_without_a_trace_of_their_last_owner(known: Checkpoint) -> None:
    sizes = CacheSizes(sequences=1, max_context=128, full_pages=2, ring_pages=2)
    batch = text_batch(known, sizes=sizes)
    chooser = random.Random(1)
    requests = [canvas(prompt=tuple(chooser.choices(range(40), k=k)), seed=k) for k in (99, 3, 70)]
    again = run(batch, requests).results
    fresh = [run(text_batch(known, sizes=sizes), [request]).results[0] for request in requests]
    for one, other in zip(again, fresh, strict=True):
        assert np.array_equal(one.entropy, other.entropy)


def test_a_clamped_canvas_takes_one_step_and_says_so(known: Checkpoint) -> None:
    request = replace(canvas(), clamps=np.arange(4))
    (result,) = run(text_batch(known), [request]).results
    assert isinstance(result, CanvasResult)
    assert result.tokens.tolist() == [0, 1, 2, 3]
    assert (result.reason, result.steps) == (FinishReason.MAX_STEPS, 4)
    assert result.candidate_mass.tolist() == [1.0] * 4


def canvas(prompt: tuple[int, ...] = (), max_steps: int = 4, seed: int = 0) -> CanvasRequest:
    return CanvasRequest(
        clamps=np.full(4, FREE),
        prompt=prompt,
        sampling=SamplingParams(max_steps=max_steps, confidence=0.0),
        seed=seed,
    )
