"""The Python client's texts against a real server with a fake engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from engine.canvas import FinishReason, SamplingParams
from engine.text.message import ChatMessage
from engine.text.request import TextFinish
from service.client import InkfillClient, SyncInkfillClient
from service.client_errors import InvalidRequestError
from service.client_text import GeneratedText, TextCommit, TextDraft
from service.server import Server
from service.texts import TextModel
from solvers.base import Method
from tests.service.fakes import TEXT, WRITER, FakeEngine
from tests.service.strings import BEGIN, END, tokens_of, writer

ANSWER = "The cat é 猫"


@pytest.fixture
def model() -> TextModel:
    return writer()


@pytest.fixture
def engine(model: TextModel) -> FakeEngine:
    return FakeEngine(infos=(TEXT, WRITER), writes=tokens_of(model, ANSWER))


@pytest.fixture
def texts(model: TextModel) -> dict[str, TextModel]:
    return {"writer": model}


@pytest.fixture
async def client(server: Server) -> AsyncIterator[InkfillClient]:
    async with InkfillClient(server.address) as opened:
        yield opened


async def test_a_text_is_generated_as_asked(client, engine, model):
    text = await client.generate(
        "writer", "the dog", max_tokens=30, sampling=SamplingParams(max_steps=2), seed=8
    )
    assert isinstance(text, GeneratedText)
    assert (text.text, text.thought) == (ANSWER, "")
    assert text.tokens == engine.writes
    assert len(text.entropy) == len(text.candidate_mass) == len(engine.writes)
    assert text.finish_reason is TextFinish.END_OF_TEXT
    assert (text.canvases, text.prompt_token_count) == (2, len(engine.text_requests[0].prompt))
    assert (text.report.model, text.report.method) == ("writer", Method.DIFFUSION)
    assert text.report.seed == 8
    (request,) = engine.text_requests
    assert request.prompt == (2, *tokens_of(model, "the dog"))
    assert (request.max_tokens, request.sampling.max_steps) == (30, 2)


async def test_what_is_not_said_is_left_to_the_checkpoint(client, engine):
    await client.generate("writer", "the dog")
    (request,) = engine.text_requests
    assert (request.max_tokens, request.sampling.max_steps) == (20, 7)


async def test_a_prompt_may_be_tokens_or_a_conversation(client, engine, model):
    await client.generate("writer", [3, 9])
    await client.generate("writer", [ChatMessage("user", "a")], think=True)
    tokens, conversation = (request.prompt for request in engine.text_requests)
    assert tokens == (3, 9)
    system = "<bos><|turn>system\n<|think|><turn|>\n"
    assert conversation == tokens_of(model, f"{system}<|turn>user\na<turn|>\n<|turn>model\n")


async def test_a_prompt_of_several_kinds_is_refused_before_it_is_sent(client, engine):
    with pytest.raises(TypeError, match="text, tokens, or ChatMessages"):
        await client.generate("writer", [1, ChatMessage("user", "a")])
    assert engine.text_requests == []


async def test_a_canvas_takes_the_same_prompts_and_comes_as_text(client, engine, model):
    engine.shows = tokens_of(model, "the")
    canvas = await client.denoise("writer", length=len(engine.shows), prompt="a")
    assert (canvas.text, canvas.thought, canvas.answer) == ("the", "", "the")
    assert engine.requests[0].prompt == (2, *tokens_of(model, "a"))
    options = {"length": len(engine.shows), "think": True}
    await client.denoise("writer", prompt=[ChatMessage("user", "a")], **options)
    system = "<bos><|turn>system\n<|think|><turn|>\n"
    asked = tokens_of(model, f"{system}<|turn>user\na<turn|>\n<|turn>model\n")
    assert engine.requests[1].prompt == asked


async def test_drafts_and_commits_come_before_the_text(client, engine, model):
    engine.writes = (BEGIN, *tokens_of(model, "thought\nyes"), END, *engine.writes)
    events = [event async for event in client.generate_stream("writer", "x", max_tokens=40)]
    *shown, text = events
    drafts = [event for event in shown if isinstance(event, TextDraft)]
    commits = [event for event in shown if isinstance(event, TextCommit)]
    assert len(drafts) + len(commits) == len(shown)
    assert [(d.block, d.step) for d in drafts[:4]] == [(0, 1), (0, 2), (0, 3), (1, 1)]
    assert drafts[0].accepted == (True, *[False] * 7)
    assert drafts[0].entropy == (0.25,) * 8
    assert len(drafts[0].tokens) == len(drafts[0].pieces) == 8
    assert "".join(drafts[-1].pieces) == drafts[-1].text == commits[-1].text
    assert [commit.block for commit in commits] == list(range(len(commits)))
    assert (commits[0].finish_reason, commits[0].steps) == (FinishReason.STABLE, 3)
    assert sum((commit.tokens for commit in commits), ()) == text.tokens == engine.writes
    assert "".join(commit.thought for commit in commits) == text.thought == "yes"
    assert "".join(commit.text for commit in commits) == text.text == ANSWER


async def test_leaving_a_stream_early_cancels_it(client, engine, eventually):
    engine.step_s, engine.steps = 0.01, 10**6
    async with aclosing(client.generate_stream("writer", "x")) as events:
        assert (await anext(events)).step == 1
    await eventually(lambda: engine.cancelled == 1)


async def test_a_refused_prompt_names_its_field(client):
    with pytest.raises(InvalidRequestError) as caught:
        await client.generate("scribe", "text")
    assert caught.value.violations[0].field == "prompt"


async def test_a_model_tells_its_context(client):
    assert await client.model("writer") == WRITER


async def test_the_same_without_an_event_loop(server):
    def work() -> None:
        with SyncInkfillClient(server.address) as client:
            text = client.generate("writer", "x", seed=1)
            assert text.text == ANSWER
            assert list(client.generate_stream("writer", "x", seed=1))[-1] == text

    await asyncio.to_thread(work)
