"""Text that grows by tokens, and the two parts of an answer."""

import functools
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.answer import Answer, Part
from engine.text.text_stream import Pieces, TextStream
from engine.text.tokenizer import Tokenizer
from tests.engine.text.tokenizers import byte_fallback, byte_level, stripping

KINDS = pytest.mark.parametrize("make", [byte_level, byte_fallback, stripping])
TURN, BEGIN, END = 3, 5, 6


@functools.cache
def tools(make, channel: bool = True) -> tuple[Tokenizer, Pieces]:
    with TemporaryDirectory() as folder:
        config = {} if channel else {"soc_token": None, "eoc_token": None}
        tokenizer = Tokenizer.from_folder(make(Path(folder), **config))
    assert tokenizer is not None
    return tokenizer, Pieces(tokenizer)


def stream_of(make) -> TextStream:
    tokenizer, pieces = tools(make)
    return TextStream(pieces, tokenizer.special_ids)


def tokens_of(text: str, make=byte_level) -> list[int]:
    return tools(make)[0].encode(text, add_special_tokens=False)


def answer(channel: bool = True, prompt: list[int] | None = None) -> Answer:
    return Answer(*tools(byte_level, channel), prompt or [])


def parts(tokens: list[int], **how) -> Part:
    return answer(**how).push_all(tokens, last=True)


@KINDS
@given(tokens=st.lists(st.integers(0, 403), max_size=30))
def test_what_a_stream_gives_out_is_the_text_of_all_tokens_at_once(make, tokens):
    tokenizer, _ = tools(make)
    known = [token for token in tokens if token < tokenizer.backend.get_vocab_size()]
    stream = stream_of(make)
    given_out = "".join([*map(stream.push, known), stream.flush()])
    assert given_out == tokenizer.decode(known)


@KINDS
@given(text=st.text(max_size=30), cut=st.integers(0, 60))
def test_a_character_may_be_split_between_canvases(make, text, cut):
    tokens = tokens_of(text, make)
    stream = stream_of(make)
    first = stream.push_all(tokens[:cut])
    assert "\ufffd" not in first or "\ufffd" in text
    assert first + stream.push_all(tokens[cut:]) + stream.flush() == tools(make)[0].decode(tokens)


def test_half_a_character_waits_for_its_other_half():
    first, *rest = tokens_of("猫")
    stream = stream_of(byte_level)
    assert stream.push(first) == ""
    assert stream.push_all([*rest, *tokens_of("t")]) == "猫t"


def test_a_fork_leaves_its_stream_alone():
    first, *rest = tokens_of("猫")
    stream = stream_of(byte_level)
    stream.push(first)
    fork = stream.fork()
    assert fork.flush() == "\ufffd"
    assert stream.push_all(rest) + stream.flush() == "猫"


def test_a_text_without_a_channel_is_all_said():
    assert parts(tokens_of("the cat")) == Part("", "the cat")


def test_an_empty_thought_is_no_text():
    tokens = [BEGIN, *tokens_of("thought\n"), END, *tokens_of("the cat")]
    assert parts(tokens) == Part("", "the cat")


def test_a_thought_is_told_apart_from_what_is_said():
    tokens = [BEGIN, *tokens_of("thought\na cat?\nyes"), END, *tokens_of("the cat")]
    assert parts(tokens) == Part("a cat?\nyes", "the cat")


def test_a_thought_that_the_text_ends_in_is_all_there_is():
    assert parts([BEGIN, *tokens_of("thought\na cat")]) == Part("a cat", "")
    assert parts([BEGIN, *tokens_of("thou")]) == Part("", "")


@pytest.mark.parametrize("opened", ["thought\n", "tho", ""])
def test_a_thought_may_begin_in_the_prompt(opened):
    prompt = [BEGIN, END, BEGIN, *tokens_of(opened)]
    name = "thought\n"[len(opened) :]
    tokens = [*tokens_of(name + "a cat?"), END, *tokens_of("yes")]
    assert parts(tokens, prompt=prompt) == Part("a cat?", "yes")


@pytest.mark.parametrize("closed_by", [END, TURN])
def test_a_thought_that_the_prompt_has_closed_is_over(closed_by):
    prompt = [BEGIN, *tokens_of("thought\n"), closed_by, *tokens_of("model\n")]
    assert parts(tokens_of("yes"), prompt=prompt) == Part("", "yes")


def test_a_channel_whose_name_never_ends_takes_no_longer_with_every_token(monkeypatch):
    monkeypatch.setattr(Pieces, "whole", lambda *_: " " * 10_000)
    began = time.process_time()
    assert parts([BEGIN, *[70] * 5000]) == Part()
    assert time.process_time() - began < 1  # what kept the name took more than ten


def test_where_the_tokenizer_names_no_channel_nothing_is_cut():
    tokens = [BEGIN, *tokens_of("thought\nx"), END, *tokens_of("y")]
    assert parts(tokens, channel=False) == Part("", "thought\nxy")


@given(
    tokens=st.lists(st.sampled_from([BEGIN, END, *tokens_of("thought\nx 猫é\n")]), max_size=30),
    cut=st.integers(0, 30),
)
def test_an_answer_is_the_same_however_it_is_cut(tokens, cut):
    grown = answer()
    first, second = grown.push_all(tokens[:cut]), grown.push_all(tokens[cut:], last=True)
    assert first.then(second) == parts(tokens)


@pytest.mark.parametrize("opened", [[], [BEGIN, *tokens_of("thought\n")]])
def test_a_fork_of_an_answer_leaves_it_alone(opened):
    half, *rest = tokens_of("猫")
    grown = answer()
    grown.push_all([*opened, half])
    fork = grown.fork()
    fork.push_all([END, *tokens_of("said")], last=True)
    assert "猫" in grown.push_all(rest, last=True)
