"""Tokenizers: the tokens of transformers, names, and files that cannot be used."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from engine.text.tokenizer import Tokenizer, TokenizerError
from tests.engine.text.tokenizers import byte_fallback, byte_level, stripping

Make = Callable[..., Path]
KINDS = pytest.mark.parametrize("make", [byte_level, byte_fallback, stripping])


def read(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_folder(folder)
    assert tokenizer is not None
    return tokenizer


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Make], tuple[Tokenizer, object]]:
    """Ours and transformers' of a kind."""
    made: dict[Make, tuple[Tokenizer, object]] = {}

    def of(make: Make) -> tuple[Tokenizer, object]:
        if make not in made:
            folder = make(tmp_path_factory.mktemp("checkpoint"))
            made[make] = read(folder), AutoTokenizer.from_pretrained(folder)
        return made[make]

    return of


@pytest.mark.parity
@KINDS
@given(text=st.one_of(st.text(), st.sampled_from(["", " ", "The cat <turn|> sat", "<bos>é 猫"])))
def test_tokens_and_text_are_those_of_transformers(pair, make, text):
    ours, theirs = pair(make)
    tokens = ours.encode(text)
    assert tokens == theirs(text).input_ids
    plain = ours.encode(text, add_special_tokens=False)
    assert plain == theirs(text, add_special_tokens=False).input_ids
    assert ours.decode(tokens) == theirs.decode(tokens, skip_special_tokens=True)


@pytest.mark.parity
@pytest.mark.parametrize("asked", [{"add_bos_token": False}, {"add_eos_token": True}])
def test_the_tokenizers_file_alone_says_what_is_added_to_a_prompt(tmp_path, asked):
    folder = byte_level(tmp_path, **asked)
    ours, theirs = read(folder), AutoTokenizer.from_pretrained(folder)
    assert ours.encode("The cat") == theirs("The cat").input_ids == [2, 280, 275, 266]


def test_special_tokens_are_known_by_name_as_a_string_or_as_an_object(tmp_path):
    tokenizer = read(byte_level(tmp_path))
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (2, 1, 0)
    assert tokenizer.channel == (5, 6)
    assert tokenizer.names["eos_token"] == "<eos>"


def test_a_checkpoint_without_a_channel_names_none(tmp_path):
    tokenizer = read(byte_level(tmp_path, eoc_token=None))
    assert tokenizer.channel is None


def test_tokens_that_only_this_checkpoint_names_may_stand_in_an_entry_of_their_own(tmp_path):
    own = {"soc_token": "<|channel>", "eoc_token": "<channel|>"}
    folder = byte_level(tmp_path, soc_token=None, eoc_token=None, model_specific_special_tokens=own)
    assert read(folder).channel == (5, 6)


def test_a_named_token_is_no_text_even_where_the_tokenizers_file_does_not_say_so(tmp_path):
    folder = byte_level(tmp_path)
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text())
    for token in data["added_tokens"]:
        token["special"] = False
    path.write_text(json.dumps(data))
    tokenizer = read(folder)
    assert tokenizer.special_ids == {0, 1, 2, 5, 6}
    assert tokenizer.decode([5, 1]) == ""


def test_a_prompt_is_neither_cut_nor_filled_up_as_in_training(tmp_path):
    folder = byte_level(tmp_path)
    path = folder / "tokenizer.json"
    trained = read(folder).backend
    trained.enable_truncation(4)
    trained.enable_padding(length=16)
    trained.save(str(path))
    assert len(read(folder).encode("The cat sat on the mat")) == 9


def test_a_checkpoint_without_a_tokenizer_has_none(tmp_path):
    assert Tokenizer.from_folder(tmp_path) is None


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tokenizer.json", "{"),
        ("tokenizer.json", "{}"),
        ("tokenizer_config.json", "{"),
        ("tokenizer_config.json", "[]"),
        ("tokenizer_config.json", "[" * 100_000),
        ("tokenizer_config.json", '{"bos_token": "\\ud800"}'),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, file, content):
    folder = byte_level(tmp_path)
    (folder / file).write_text(content)
    with pytest.raises(TokenizerError, match=file):
        Tokenizer.from_folder(folder)


def test_other_threads_run_while_a_long_text_is_encoded(tmp_path):
    tokenizer = read(byte_level(tmp_path))
    text = "the cat sat on the mat " * 60_000
    work = threading.Thread(target=tokenizer.encode, args=(text,))
    began = time.perf_counter()
    work.start()
    turns = 0
    while work.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > (time.perf_counter() - began) * 50  # held back, there would be a handful
