"""Canvas.Generate and GenerateStream over real gRPC, and prompts as text."""

import asyncio
import threading
from dataclasses import replace
from itertools import groupby

import grpc
import pytest
from google.rpc import error_details_pb2
from inkfill.v1 import canvas_pb2, canvas_pb2_grpc, common_pb2

from engine.canvas import CanvasError
from engine.client import EngineOverloadedError
from engine.cores import usable_cores
from service.servicers import prompt as prompts
from service.settings import Settings
from service.texts import TextModel
from tests.service.fakes import SUDOKU, TEXT, WRITER, FakeEngine
from tests.service.strings import BEGIN, END, EOS, tokens_of, writer
from tests.service.wire import detail, finish, rich_status, violation

Request = canvas_pb2.GenerateRequest
Message = canvas_pb2.ChatMessage
Sampling = canvas_pb2.Sampling
ANSWER = "The cat é 猫"
CONTEXT = WRITER.max_context
HELLO = [Message(role="user", content="the dog")]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(infos=(SUDOKU, TEXT, WRITER))


@pytest.fixture
def model() -> TextModel:
    return writer()


@pytest.fixture
def texts(model: TextModel) -> dict[str, TextModel]:
    return {"writer": model}


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> canvas_pb2_grpc.CanvasStub:
    return canvas_pb2_grpc.CanvasStub(channel)


def ask(**fields: object) -> Request:
    prompt = {} if fields.keys() & {"prompt", "prompt_tokens", "messages"} else {"prompt": "the"}
    return Request(**{"model": "writer", **prompt, **fields})


async def refused(call) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(call)
    return violation(rich_status(caught.value))


async def test_a_text_is_generated_and_the_response_says_how(stub, engine, model):
    engine.writes = tokens_of(model, ANSWER)
    response = await stub.Generate(ask(sampling=Sampling(seed=5)))
    assert (response.text, response.thought) == (ANSWER, "")
    assert tuple(response.tokens) == engine.writes
    assert len(response.entropy) == len(response.candidate_mass) == len(engine.writes)
    assert response.entropy[0] == 0.25
    assert response.finish_reason == canvas_pb2.END_OF_TEXT
    assert (response.canvases, response.prompt_token_count) == (2, 3)
    report = response.report
    assert (report.model, report.weights_digest) == ("writer", "a" * 64)
    assert (report.method, report.seed, report.candidates) == (common_pb2.DIFFUSION, 5, 1)
    assert (report.steps, report.queue_ms, report.compute_ms) == (6, 1.5, 2.5)


async def test_a_text_prompt_is_encoded_as_any_text(stub, engine, model):
    await stub.Generate(ask(prompt="the cat"))
    (request,) = engine.text_requests
    assert request.prompt == (2, *tokens_of(model, "the cat"))


async def test_tokens_are_taken_as_they_stand(stub, engine):
    await stub.Generate(ask(prompt_tokens=[9, 319]))
    assert engine.text_requests[0].prompt == (9, 319)


@pytest.mark.parametrize("think", [None, False, True])
async def test_a_conversation_is_written_down_by_the_template(stub, engine, model, think):
    turns = [Message(role="user", content="a"), Message(role="assistant", content="b"), *HELLO]
    await stub.Generate(ask(messages=turns, think=think))
    thinking = "<|turn>system\n<|think|><turn|>\n" if think else ""
    text = (
        f"<bos>{thinking}<|turn>user\na<turn|>\n<|turn>model\nb<turn|>\n"
        "<|turn>user\nthe dog<turn|>\n<|turn>model\n"
    )
    assert engine.text_requests[0].prompt == tokens_of(model, text)


async def test_what_a_request_leaves_open_is_as_the_checkpoint_says(stub, engine):
    await stub.Generate(ask())
    (request,) = engine.text_requests
    assert request.max_tokens == 20
    assert request.eos_token_ids == (EOS, 4)
    sampling = request.sampling
    assert (sampling.max_steps, sampling.t_min, sampling.t_max) == (7, 0.3, 0.8)
    assert request.seed > 0


async def test_what_a_request_says_reaches_the_engine(stub, engine):
    knobs = Sampling(
        max_steps=2, t_min=0.25, t_max=0.5, entropy_bound=2, stability=0, confidence=0, seed=0
    )
    await stub.Generate(ask(max_tokens=3, sampling=knobs))
    (request,) = engine.text_requests
    sampling = request.sampling
    assert (sampling.max_steps, sampling.t_min, sampling.t_max) == (2, 0.25, 0.5)
    assert (sampling.entropy_bound, sampling.stability, sampling.confidence) == (2, 0, 0)
    assert (request.max_tokens, request.seed) == (3, 0)


async def test_a_text_that_is_cut_says_so(stub, engine, model):
    engine.writes = tokens_of(model, ANSWER)
    response = await stub.Generate(ask(max_tokens=2))
    assert response.finish_reason == canvas_pb2.MAX_TOKENS
    assert len(response.tokens) == 2


async def test_by_default_a_text_takes_what_a_long_prompt_leaves(stub, engine):
    await stub.Generate(ask(prompt_tokens=[9] * 50))  # 64 - 50: a canvas of 8
    assert engine.text_requests[0].max_tokens == 8


async def test_thought_and_text_are_told_apart(stub, engine, model):
    thought = (BEGIN, *tokens_of(model, "thought\na cat?"), END)
    engine.writes = (*thought, *tokens_of(model, "yes"))
    response = await stub.Generate(ask())
    assert (response.thought, response.text) == ("a cat?", "yes")
    assert tuple(response.tokens) == engine.writes


async def test_a_thought_may_begin_in_the_prompt(stub, engine, model):
    engine.writes = (*tokens_of(model, "a cat?"), END, *tokens_of(model, "yes"))
    response = await stub.Generate(ask(prompt="x<|channel>thought\n"))
    assert (response.thought, response.text) == ("a cat?", "yes")


async def test_a_model_without_a_tokenizer_answers_in_tokens(stub, engine):
    engine.writes = (7, 8)
    response = await stub.Generate(ask(model="scribe", prompt_tokens=[3]))
    assert (response.text, list(response.tokens)) == ("", [7, 8])
    events = await finish(stub.GenerateStream(ask(model="scribe", prompt_tokens=[3])))
    assert (events[0].draft.text, list(events[0].draft.pieces)) == ("", [])
    assert list(events[0].draft.tokens)[:3] == [7, 8, 9]


async def test_a_stream_shows_drafts_then_commits_and_ends_with_the_response(stub, engine, model):
    engine.writes = tokens_of(model, ANSWER)
    events = await finish(stub.GenerateStream(ask(sampling=Sampling(seed=5))))
    kinds = [(kind, len(list(run))) for kind, run in groupby(e.WhichOneof("event") for e in events)]
    assert kinds == [("draft", 3), ("commit", 1), ("draft", 3), ("commit", 1), ("response", 1)]
    drafts = [event.draft for event in events if event.HasField("draft")]
    assert [(d.block, d.step) for d in drafts] == [(b, s) for b in (0, 1) for s in (1, 2, 3)]
    assert list(drafts[1].accepted) == [True, True] + [False] * 6
    assert list(drafts[0].entropy) == [0.25] * 8
    commits = [event.commit for event in events if event.HasField("commit")]
    assert [(c.block, c.steps, c.finish_reason) for c in commits] == [(0, 3, 1), (1, 3, 1)]
    assert [token for c in commits for token in c.tokens] == list(engine.writes)
    response = await stub.Generate(ask(sampling=Sampling(seed=5)))
    assert events[-1].response == response


async def test_a_draft_shows_nothing_of_what_follows_the_end(stub, engine, model):
    engine.writes = tokens_of(model, "The cat sat on")
    events = await finish(stub.GenerateStream(ask()))
    for draft in (event.draft for event in events if event.HasField("draft")):
        assert len(draft.pieces) == 8
        assert "".join(draft.pieces) == draft.text
        assert model.tokenizer.decode([9]) not in draft.pieces[-1:]


@pytest.mark.parametrize("text", ["naïve 猫猫猫é", "thought 猫"])
async def test_drafts_foretell_commits_and_commits_make_up_the_response(stub, engine, model, text):
    engine.writes = (BEGIN, *tokens_of(model, "thought\n猫é"), END, *tokens_of(model, text))
    for most in range(1, len(engine.writes) + 2):
        events = await finish(stub.GenerateStream(ask(max_tokens=most)))
        commits = [event.commit for event in events if event.HasField("commit")]
        response = events[-1].response
        assert "".join(commit.text for commit in commits) == response.text
        assert "".join(commit.thought for commit in commits) == response.thought
        drafts = {event.draft.block: event.draft for event in events if event.HasField("draft")}
        assert [drafts[commit.block].text for commit in commits] == [c.text for c in commits]
        for commit in commits:
            assert "".join(drafts[commit.block].pieces) == commit.thought + commit.text


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        (ask(model=""), "model", "got '', accepted: scribe, writer"),
        (ask(model="oracle"), "model", "generates no text, accepted: scribe, writer"),
        (Request(model="writer"), "prompt", "is absent, accepted: prompt, prompt_tokens or"),
        (ask(prompt="x", prompt_tokens=[1]), "prompt_tokens", "is given beside prompt"),
        (ask(prompt="", messages=HELLO), "messages", "is given beside prompt"),
        (ask(prompt_tokens=[1], messages=HELLO), "messages", "beside prompt_tokens"),
        (ask(model="scribe"), "prompt", "'scribe' came without a tokenizer (tokenizer.json)"),
        (ask(model="scribe", messages=HELLO), "messages", "accepted: prompt_tokens"),
        (ask(think=True), "think", "accepted: only with messages"),
        (ask(prompt_tokens=[1, 320]), "prompt_tokens[1]", "got 320, accepted: 0 to 319"),
        (ask(prompt_tokens=[1] * 57), "prompt_tokens", "got 57 tokens, accepted: 1 to 56"),
        (ask(prompt="x " * 60), "prompt", "accepted: 1 to 56"),
        (ask(messages=[Message(role="king")]), "messages", "no role king"),
        (ask(messages=[Message()] * 1025), "messages", "got 1025, accepted: at most 1024"),
        (ask(max_tokens=0), "max_tokens", "got 0, accepted: 1 to 56"),
        (ask(prompt_tokens=[9] * 50, max_tokens=9), "max_tokens", "got 9, accepted: 1 to 8"),
        (ask(max_tokens=2**32 - 1), "max_tokens", "accepted: 1 to 56"),
        (ask(sampling=Sampling(max_steps=0)), "sampling.max_steps", "1 to 4096"),
        (ask(sampling=Sampling(t_max=0.1)), "sampling.t_max", "0.3 (t_min) to 10"),
        (ask(sampling=Sampling(t_min=3)), "sampling.t_min", "0.01 to t_max, which is 0.8"),
        (ask(sampling=Sampling(t_min=3, t_max=2)), "sampling.t_max", "3.0 (t_min) to 10"),
        (ask(sampling=Sampling(seed=2**63)), "sampling.seed", "2^63 - 1"),
    ],
)
@pytest.mark.parametrize("method", ["Generate", "GenerateStream"])
async def test_a_bad_request_is_refused_with_its_field(stub, engine, method, request_, field, said):
    path, description = await refused(getattr(stub, method)(request_))
    assert path == field
    assert said in description
    assert engine.text_requests == []


async def test_a_prompt_without_tokens_is_refused(stub, texts, model):
    texts["writer"] = writer("{{ '' }}")
    assert await refused(stub.Generate(ask(messages=HELLO))) == (
        "messages",
        "got 0 tokens, accepted: 1 to 56, so that a canvas of 8 fits beside them into the context "
        "of 64",
    )


async def test_a_model_without_a_chat_template_says_what_it_takes(stub, texts, model):
    texts["writer"] = TextModel(model.tokenizer, None, model.defaults)
    field, said = await refused(stub.Generate(ask(messages=HELLO)))
    assert field == "messages"
    assert "came without a chat template" in said
    assert "accepted: prompt or prompt_tokens" in said


async def test_a_template_that_fails_is_told_with_its_words(stub, texts):
    texts["writer"] = writer("{{ messages[0].content + 1 }}")
    field, said = await refused(stub.Generate(ask(messages=HELLO)))
    assert field == "messages"
    assert said.startswith("the chat template of 'writer': ")


async def test_a_template_that_writes_far_more_than_is_said_is_refused(stub, texts):
    texts["writer"] = writer("{{ 'x' * 2097153 }}")
    assert await refused(stub.Generate(ask(messages=HELLO))) == (
        "messages",
        "the chat template of 'writer': wrote 2097153 characters, accepted: at most 2097152",
    )


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"prompt": "x" * 11}, "got 11 characters, accepted: at most 10"),
        ({"messages": [Message(role="user", content="x" * 7)]}, "got 11 characters"),
    ],
)
async def test_too_long_a_text_is_refused_before_it_is_encoded(
    stub, model, monkeypatch, form, said
):
    monkeypatch.setattr(prompts, "MAX_PROMPT_CHARACTERS", 10)
    monkeypatch.setattr(type(model.tokenizer), "encode", lambda *_, **__: pytest.fail("encoded"))
    field, description = await refused(stub.Generate(ask(**form)))
    assert field == next(iter(form))
    assert said in description


@pytest.mark.parametrize("method", ["Generate", "Denoise"])
async def test_more_tokens_than_the_context_are_refused_before_they_are_read(
    stub, monkeypatch, method
):
    monkeypatch.setattr(prompts, "_known", None)  # what is called fails
    kind = Request if method == "Generate" else canvas_pb2.DenoiseRequest
    call = getattr(stub, method)(kind(model="writer", prompt_tokens=[1] * (CONTEXT + 1)))
    assert await refused(call) == (
        "prompt_tokens",
        f"got {CONTEXT + 1} tokens, accepted: fewer than the context of {CONTEXT}",
    )


async def test_what_the_engine_refuses_of_a_prompt_is_named_as_in_the_request(stub, engine):
    engine.error = CanvasError("prompt[1]", "no")
    assert await refused(stub.Generate(ask(prompt_tokens=[1, 2]))) == ("prompt_tokens[1]", "no")
    assert await refused(stub.Generate(ask(messages=HELLO))) == ("messages", "no")


async def test_a_full_queue_says_when_to_try_again(stub, engine):
    engine.error = EngineOverloadedError("full")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Generate(ask())
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("method", ["Generate", "GenerateStream"])
async def test_cancelling_a_call_takes_its_canvas_out(stub, engine, eventually, method):
    engine.step_s, engine.steps = 0.01, 10**6
    reading = asyncio.ensure_future(finish(getattr(stub, method)(ask())))
    await eventually(lambda: engine.running == 1)
    reading.cancel()
    await eventually(lambda: engine.cancelled == 1)
    assert engine.running == 0


async def test_a_passed_deadline_takes_the_canvas_out(stub, engine, eventually):
    engine.step_s, engine.steps = 0.01, 10**6
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Generate(ask(), timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: engine.cancelled == 1)


async def test_other_calls_are_answered_while_a_long_prompt_is_encoded(stub, model, monkeypatch):
    assert model.answer() is not None  # it encodes a little, once
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    release = asyncio.Event()

    def encode(*_: object, **__: object) -> list[int]:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(2)
        return [9]

    monkeypatch.setattr(type(model.tokenizer), "encode", encode)
    call = asyncio.ensure_future(finish(stub.Generate(ask())))
    await begun.wait()
    await stub.Generate(ask(prompt_tokens=[3]))
    assert not call.done()
    release.set()
    await call


class TestManyPrompts:
    """Prompts that are being encoded, and a server where one may wait for it."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"max_queue": 1})

    async def test_one_more_is_refused_as_by_a_full_queue(self, stub, engine, model, monkeypatch):
        assert model.answer() is not None  # it encodes a little, once
        places, begun, release = max(4, usable_cores()), [], threading.Event()

        def encode(*_: object, **__: object) -> list[int]:
            begun.append(threading.current_thread().name)
            assert release.wait(5)
            return [9]

        monkeypatch.setattr(type(model.tokenizer), "encode", encode)
        calls = [asyncio.ensure_future(finish(stub.Generate(ask()))) for _ in range(places + 2)]
        (refusal,), served = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert refusal.exception().code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusal.exception().details() == "the queue is full; try again in 1 s"
        retry = detail(rich_status(refusal.exception()), error_details_pb2.RetryInfo)
        assert retry.retry_delay.seconds == 1
        release.set()
        await asyncio.gather(*served)
        assert len(begun) == len(engine.text_requests) == places + 1
        assert all(name.startswith("inkfill-encode") for name in begun)


class TestDenoise:
    """Canvas.Denoise with prompts as text."""

    @staticmethod
    def canvas(**fields: object) -> canvas_pb2.DenoiseRequest:
        return canvas_pb2.DenoiseRequest(**{"model": "writer", **fields})

    async def test_a_prompt_may_be_text(self, stub, engine, model):
        await stub.Denoise(self.canvas(prompt="the cat"))
        assert engine.requests[0].prompt == (2, *tokens_of(model, "the cat"))

    async def test_a_prompt_may_be_a_conversation(self, stub, engine, model):
        await stub.Denoise(self.canvas(messages=HELLO, think=False))
        text = "<bos><|turn>user\nthe dog<turn|>\n<|turn>model\n"
        assert engine.requests[0].prompt == tokens_of(model, text)

    async def test_no_prompt_is_fine(self, stub, engine):
        await stub.Denoise(self.canvas())
        assert engine.requests[0].prompt == ()

    async def test_the_canvas_comes_as_text_too(self, stub, engine, model):
        engine.shows = (*tokens_of(model, "the cat"), EOS, 9)[:4]
        response = await stub.Denoise(self.canvas(length=4))
        assert response.text == model.tokenizer.decode(engine.shows)
        assert response.text
        events = await finish(stub.DenoiseStream(self.canvas(length=4)))
        assert events[-1].response.text == response.text

    async def test_its_thought_and_its_answer_are_told_apart(self, stub, engine, model):
        thought, answer = tokens_of(model, "thought\na?"), tokens_of(model, "yes")
        engine.shows = (BEGIN, *thought, END, *answer, EOS)
        engine.infos = (replace(WRITER, canvas_length=len(engine.shows)),)
        response = await stub.Denoise(self.canvas())
        assert (response.thought, response.answer) == ("a?", "yes")
        assert response.text == "thought\na?yes"
        events = await finish(stub.DenoiseStream(self.canvas(sampling=Sampling(seed=1))))
        assert events[-1].response.answer == "yes"

    async def test_a_thought_may_begin_in_the_prompt(self, stub, engine, model):
        engine.shows = (*tokens_of(model, "a?"), END, *tokens_of(model, "yes"))
        canvas = self.canvas(prompt="x<|channel>thought\n", length=len(engine.shows))
        response = await stub.Denoise(canvas)
        assert (response.thought, response.answer) == ("a?", "yes")

    async def test_a_model_without_a_tokenizer_answers_in_tokens(self, stub, engine):
        response = await stub.Denoise(self.canvas(model="scribe"))
        assert (response.text, response.thought, response.answer) == ("", "", "")
        assert len(response.tokens) == TEXT.canvas_length

    async def test_absent_knobs_are_the_checkpoints(self, stub, engine):
        await stub.Denoise(self.canvas())
        assert engine.requests[0].sampling.max_steps == 7

    @pytest.mark.parametrize(
        ("fields", "field", "said"),
        [
            ({"prompt": "x", "prompt_tokens": [1]}, "prompt_tokens", "is given beside prompt"),
            ({"model": "scribe", "prompt": "x"}, "prompt", "came without a tokenizer"),
            ({"prompt": "x " * 5000}, "prompt", "accepted: at most "),
            ({"messages": [Message(role="king")]}, "messages", "no role king"),
            ({"prompt_tokens": [1], "think": True}, "think", "only with messages"),
        ],
    )
    async def test_a_bad_prompt_is_refused_with_its_field(self, stub, engine, fields, field, said):
        path, description = await refused(stub.Denoise(self.canvas(**fields)))
        assert path == field
        assert said in description
        assert engine.requests == []
