"""docs/client.md: every snippet runs as it is written, but for the server's address."""

import asyncio
import re
from pathlib import Path

import pytest

from service.texts import TextModels
from tests.service.fakes import GRAPHS, SUDOKU, WRITER, FakeEngine
from tests.service.strings import tokens_of, writer

TEXT = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"## ([^\n]+)\n(?:(?!\n## ).)*?```python\n(.*?)```", TEXT, re.DOTALL)
PRINTED = {
    "One puzzle": ["Outcome.SOLVED", "True", "Method.DIFFUSION 3 1"],
    "Drafts": ["step 1: 81 cells accepted", "step 3: ", "Outcome.SOLVED"],
    "Many puzzles": ["small: SOLVED", "too short: ", "cells: got 80"],
    "Graphs": [
        "Outcome.SOLVED (2, ",
        "True 2",
        "Outcome.SOLVED (3, ",
    ],
    "Drafts on graphs": ["step 1, 3 colours: (", "Outcome.SOLVED"],
    "Text": ["The cat TextFinish.END_OF_TEXT 3", "The cat\n"],
    "Text as it denoises": ["canvas 0, step 1: 1 accepted", "for good: 'The cat'", "\nThe cat\n"],
    "Errors": ["cells: got 80, accepted: 81", "character 3"],
}


@pytest.fixture
def texts() -> TextModels:
    return {"writer": writer()}


@pytest.fixture
def engine(texts: TextModels) -> FakeEngine:
    says = tokens_of(texts["writer"], "The cat")
    return FakeEngine(infos=(SUDOKU, *GRAPHS, WRITER), writes=says)


def test_every_snippet_is_known() -> None:
    assert [title for title, _ in SNIPPETS] == list(PRINTED)
    assert len(SNIPPETS) == TEXT.count("```python")


@pytest.mark.parametrize(("title", "code"), SNIPPETS, ids=[title for title, _ in SNIPPETS])
async def test_a_snippet_prints_what_it_should(server, capsys, title, code):
    await asyncio.to_thread(exec, code.replace("127.0.0.1:50051", server.address), {})
    printed = capsys.readouterr().out
    assert all(words in printed for words in PRINTED[title]), printed
