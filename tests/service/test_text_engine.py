"""Text from a checkpoint's folder to a caller, through a real engine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.canvas import SamplingParams
from engine.checkpoint import save_checkpoint
from engine.generation import GenerationParams
from engine.text.message import ChatMessage
from engine.text.request import TextFinish
from service.client import InkfillClient
from service.client_text import TextCommit, TextDraft
from service.runtime import running_server
from service.settings import load_settings
from tests.engine.factories import plain_model
from tests.engine.text.tokenizers import byte_level

GENERATION = GenerationParams(
    sampling=SamplingParams(max_steps=3), max_new_tokens=150, eos_token_ids=(1,)
)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[InkfillClient]:
    folder = byte_level(tmp_path / "text")
    save_checkpoint(plain_model(vocab_size=320), folder, generation=GENERATION)
    settings = load_settings(port=0, models=(folder,), device="cpu")
    async with running_server(settings) as server, InkfillClient(server.address) as opened:
        yield opened


async def test_a_stream_says_what_the_answer_says(client):
    prompts = ["The cat", [ChatMessage("user", "The dog?")], [9, 8, 7]]
    for seed, prompt in enumerate(prompts):
        text = await client.generate("text", prompt, seed=seed)
        events = [event async for event in client.generate_stream("text", prompt, seed=seed)]
        assert (events[-1].text, events[-1].tokens) == (text.text, text.tokens)
        commits = [event for event in events if isinstance(event, TextCommit)]
        drafts = {event.block: event for event in events if isinstance(event, TextDraft)}
        assert "".join(commit.text for commit in commits) == text.text
        assert "".join(commit.thought for commit in commits) == text.thought
        assert sum((commit.tokens for commit in commits), ()) == text.tokens
        assert [drafts[commit.block].text for commit in commits] == [c.text for c in commits]
        assert text.canvases == len(commits)
        assert text.finish_reason is TextFinish.END_OF_TEXT or len(text.tokens) == 150


async def test_an_answer_is_the_same_in_company(client):
    prompts = [f"The cat sat {n} times" for n in range(6)]
    alone = [(await client.generate("text", prompt, seed=4)).tokens for prompt in prompts]
    together = await asyncio.gather(*(client.generate("text", p, seed=4) for p in prompts))
    assert [text.tokens for text in together] == alone
