"""``inkfill generate``, each test a whole command, most against a server with a fake engine."""

import json
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from inkfill.v1 import canvas_pb2, models_pb2
from rich.console import Console
from typer.testing import CliRunner, Result

from engine.checkpoint import save_checkpoint
from engine.client import EngineOverloadedError
from service.commands import console, text_view
from service.commands import generate as command
from service.commands.app import app
from service.commands.generate import request_for
from service.commands.text_view import draft_text, harmless, last_lines
from service.logging import configure_logging
from service.loop_thread import LoopThread
from service.server import Server
from service.servicers import prompt
from service.settings import Settings
from service.texts import TextModel
from tests.engine.factories import plain_model
from tests.engine.text.tokenizers import byte_level
from tests.service.fakes import SUDOKU, TEXT, WRITER, FakeEngine
from tests.service.strings import BEGIN, END, tokens_of, writer

ANSWER = "The cat é 猫"
Ask = Callable[..., Result]


@pytest.fixture
def model() -> TextModel:
    return writer()


@pytest.fixture
def engine(model: TextModel) -> FakeEngine:
    return FakeEngine(infos=(SUDOKU, WRITER, TEXT), writes=tokens_of(model, ANSWER))


@pytest.fixture
def ask(engine: FakeEngine, settings: Settings, model: TextModel) -> Iterator[Ask]:
    """Run the command against a server whose event loop is elsewhere."""
    configure_logging("error", "console")  # its lines would stand among the command's
    loop = LoopThread()

    async def start() -> Server:
        server = Server(engine, settings, {"writer": model})
        await server.start()
        return server

    server = loop.call(start())
    yield lambda *arguments, **how: inkfill(*arguments, "--server", server.address, **how)
    loop.call(server.stop(0))
    loop.stop()


def inkfill(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["generate", *arguments], input=stdin)


def test_the_text_is_all_that_standard_output_gets(ask, engine):
    result = ask("the dog", "--seed", "5")
    assert (result.exit_code, result.stdout) == (0, f"{ANSWER}\n")
    tokens = len(engine.writes)
    assert f"END_OF_TEXT, {tokens} tokens, 2 canvases, 6 steps, 4 ms, seed 5" in result.stderr


def test_a_prompt_is_a_message_where_the_model_has_a_template(ask, engine, model):
    ask("the dog")
    text = "<bos><|turn>user\nthe dog<turn|>\n<|turn>model\n"
    assert engine.text_requests[0].prompt == tokens_of(model, text)


def test_a_raw_prompt_is_continued_as_it_stands(ask, engine, model):
    ask("the dog", "--raw")
    assert engine.text_requests[0].prompt == (2, *tokens_of(model, "the dog"))


def test_a_conversation_may_have_a_system_message_and_thought(ask, engine, model):
    assert ask("a", "--system", "b", "--think").exit_code == 0
    text = (
        "<bos><|turn>system\n<|think|><turn|>\n<|turn>system\nb<turn|>\n<|turn>user\na<turn|>\n"
        "<|turn>model\n"
    )
    assert engine.text_requests[0].prompt == tokens_of(model, text)


def test_a_model_without_a_template_is_given_the_prompt_as_it_stands():
    bare = models_pb2.Model(name="m", has_tokenizer=True)
    assert request_for("x", bare, None, None) == canvas_pb2.GenerateRequest(model="m", prompt="x")


@pytest.mark.parametrize("arguments", [["-"], []])
def test_a_prompt_may_come_from_standard_input(ask, engine, model, arguments):
    assert ask("--raw", *arguments, stdin="the dog\n\n").exit_code == 0
    assert engine.text_requests[0].prompt == (2, *tokens_of(model, "the dog\n"))


def test_options_reach_the_engine(ask, engine):
    options = "--max-tokens 3 --steps 2 --t-min 0.25 --t-max 0.5 --entropy-bound 2 --stability 0"
    assert ask("x", *options.split(), "--confidence", "0", "--seed", "0").exit_code == 0
    (request,) = engine.text_requests
    sampling = request.sampling
    assert (request.max_tokens, request.seed) == (3, 0)
    assert (sampling.max_steps, sampling.t_min, sampling.t_max) == (2, 0.25, 0.5)
    assert (sampling.entropy_bound, sampling.stability, sampling.confidence) == (2, 0, 0)


def test_what_is_not_given_is_left_to_the_checkpoint(ask, engine):
    ask("x")
    (request,) = engine.text_requests
    assert (request.max_tokens, request.sampling.max_steps) == (20, 7)


def test_json_is_the_response_message(ask, engine):
    result = ask("x", "--json", "--watch", "--seed", "7")
    response = json.loads(result.stdout)
    assert (response["text"], response["finish_reason"]) == (ANSWER, "END_OF_TEXT")
    assert response["tokens"] == list(engine.writes)
    assert response["report"]["seed"] == "7"
    assert result.stderr == ""


def test_thought_is_not_printed_as_text(ask, engine, model):
    engine.writes = (BEGIN, *tokens_of(model, "thought\nhm"), END, *tokens_of(model, "yes"))
    assert ask("x", "--max-tokens", "40").stdout == "yes\n"


def test_watching_prints_the_text_once_where_there_is_no_terminal(ask):
    result = ask("x", "--watch")
    assert (result.exit_code, result.stdout.count(ANSWER)) == (0, 1)


def test_watching_shows_drafts_after_what_is_committed(ask, monkeypatch):
    screen = StringIO()
    terminal = Console(file=screen, force_terminal=True, width=60, height=10)
    monkeypatch.setattr(text_view, "out", terminal)
    assert ask("x", "--watch").exit_code == 0
    shown = screen.getvalue()
    assert "\x1b[2m" in shown  # dim
    assert "\x1b[32m" in shown  # green
    assert ANSWER in shown


def test_accepted_tokens_are_green_and_the_others_dim():
    draft = canvas_pb2.GenerateDraft(pieces=["a", "b"], accepted=[True, False])
    text = draft_text(draft)
    assert text.plain == "ab"
    assert [(span.start, span.style) for span in text.spans] == [(0, "green"), (1, "dim")]


def test_what_is_written_commands_no_terminal(ask, engine, model, monkeypatch):
    engine.writes = tokens_of(model, "a\x1b[31mb\r")
    assert ask("x").stdout_bytes == b"a\x1b[31mb\r\n"
    screen = StringIO()
    terminal = Console(file=screen, force_terminal=True, width=60, height=10)
    monkeypatch.setattr(text_view, "out", terminal)
    monkeypatch.setattr(console, "out", terminal)
    monkeypatch.setattr(command, "out", terminal)
    ask("x", "--watch")
    assert "\x1b[31m" not in screen.getvalue()
    assert "␛[31mb␍" in screen.getvalue()


def test_a_terminal_is_told_that_a_text_is_on_its_way(ask, monkeypatch):
    screen = StringIO()
    monkeypatch.setattr(command, "err", Console(file=screen, force_terminal=True, width=60))
    ask("x")
    assert "generating" in screen.getvalue()


def test_every_control_is_shown_but_blanks_and_line_feeds():
    assert harmless("a\tb\nc") == "a\tb\nc"
    assert harmless("\a\b\x0e\x7f\x9b1m") == "␇␈␎␡\ufffd1m"


def test_a_long_text_shows_its_end():
    text = draft_text(canvas_pb2.GenerateDraft(pieces=["aa bb cc\ndd"], accepted=[True]))
    assert last_lines(text, 5, 2).plain == "cc\ndd"


def test_a_model_without_a_tokenizer_takes_no_prompt_of_text(ask, engine):
    result = ask("x", "--model", "scribe")
    assert result.exit_code == 2
    assert "prompt: 'scribe' came without a tokenizer" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x", "--model", "nobody"], "--model: got 'nobody', accepted: writer, scribe"),
        (["x", "--raw", "--system", "y"], "--system: is part of a conversation"),
        (["x", "--raw", "--think"], "--think: is for the chat template"),
        (["x", "--max-tokens", "57"], "--max-tokens: got 57, accepted: 1 to"),
        (["x", "--t-min", "0"], "--t-min: got 0.0, accepted: 0.01 to 10"),
        (["x", "--steps", "0"], "--steps"),
        (["x", "--seed", "-1"], "--seed"),
    ],
)
def test_bad_input_is_named_and_exits_with_2(ask, engine, arguments, said):
    result = ask(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr.replace("\n", "")
    assert engine.text_requests == []


def test_what_is_wrong_with_a_message_is_said_of_the_prompt(ask, monkeypatch):
    monkeypatch.setattr(prompt, "MAX_PROMPT_CHARACTERS", 10)
    result = ask("x" * 11)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: prompt: got 15 characters, accepted: at most 10")


def test_a_server_without_a_text_model_says_so(ask, engine):
    engine.infos = (SUDOKU,)
    result = ask("x")
    assert result.exit_code == 2
    said = result.stderr.replace("\n", " ")
    assert "no model that is loaded generates text, there are: oracle (sudoku)" in said
    assert "inkfill serve --model FOLDER" in said


def test_a_failed_call_exits_with_1(ask, engine):
    engine.error = EngineOverloadedError("full")
    assert ask("x").exit_code == 1


def test_other_bytes_on_standard_input_are_bad_input(ask):
    result = ask(stdin=b"\xe9\xff")
    assert result.exit_code == 2
    assert "accepted: UTF-8" in result.stderr


def test_an_argument_of_other_bytes_is_bad_input(ask):
    result = ask("\udce9")
    assert result.exit_code == 2
    assert "accepted: UTF-8" in result.stderr


def test_a_system_message_of_other_bytes_is_bad_input(ask):
    result = ask("x", "--system", "caf\udce9")
    assert result.exit_code == 2
    assert "--system: " in result.stderr
    assert "accepted: UTF-8" in result.stderr


def test_a_closed_standard_input_holds_no_prompt(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SystemExit) as ended:
        app(["generate"])
    assert ended.value.code == 2


@pytest.mark.parametrize("model", [[], ["--model", "no-such-folder"]])
def test_without_a_server_a_checkpoint_has_to_be_named(model):
    result = inkfill("x", *model)
    assert result.exit_code == 2
    assert "accepted: the folder of a text checkpoint, of which none is bundled" in result.stderr


def test_a_folder_is_served_for_the_command(tmp_path: Path):
    save_checkpoint(plain_model(vocab_size=320), byte_level(tmp_path / "mine"))
    options = ("--model", str(tmp_path / "mine"), "--max-tokens", "9", "--seed", "1", "--raw")
    result = inkfill("x", *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip()
    assert inkfill("x", *options).stdout == result.stdout


def test_a_checkpoint_without_a_tokenizer_reads_no_text(tmp_path: Path):
    save_checkpoint(plain_model(), tmp_path / "mine")
    result = inkfill("x", "--model", str(tmp_path / "mine"))
    assert result.exit_code == 2
    assert "prompt: 'mine' came without a tokenizer" in result.stderr


def test_a_name_on_the_hub_is_fetched_for_the_command(tmp_path: Path, monkeypatch):
    folder = byte_level(tmp_path / "snapshot")
    save_checkpoint(plain_model(vocab_size=320), folder)
    monkeypatch.setattr("service.hub.fetch", lambda *_: folder)
    result = inkfill("x", "--model", "org/mine", "--max-tokens", "9", "--seed", "1", "--raw")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip()
