"""The command line, each test a whole command with a server of its own."""

import asyncio
import gzip
import json
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import typer
from google.rpc import status_pb2
from inkfill.v1 import sudoku_pb2

from engine.checkpoint import save_checkpoint
from service.commands.console import Exit
from service.commands.sudoku import Puzzle, _gather, _solve_many
from service.settings import Settings
from solvers.sudoku.checker import is_solution
from solvers.sudoku.text import parse_puzzle
from tests.engine.factories import small_model
from tests.service.command_line import inkfill

EASY = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
SMALL = "1...|..3.|.4..|...2"


def test_a_puzzle_is_solved_and_drawn() -> None:
    result = inkfill("sudoku", EASY)
    assert result.exit_code == 0
    assert "SOLVED by" in result.stdout
    assert "5 3 4 │ 6 7 8 │ 9 1 2" in result.stdout


def test_no_line_is_folded_or_ends_in_blanks_where_columns_are_few() -> None:
    for options in ([], ["--watch"]):
        lines = inkfill("sudoku", "--prove-unique", *options, EASY).stdout.splitlines()
        assert lines[0].startswith("SOLVED by")
        assert re.search(r"the only answer, .*, seed \d+$", lines[0])
        assert all(line == line.rstrip() for line in lines)
        assert sum("5 3 4 │ 6 7 8 │ 9 1 2" in line for line in lines) == 1
    listed = inkfill("sudoku", EASY, EASY).stdout.splitlines()
    assert len(listed) == 3


def test_the_demo_shows_puzzles_that_can_be_copied() -> None:
    result = inkfill("demo")
    assert result.exit_code == 0
    assert sum(len(line) == 81 for line in result.stdout.splitlines()) == 2


def test_json_is_the_response_message_one_a_line_in_order() -> None:
    result = inkfill("sudoku", "--json", "--seed", "7", EASY, SMALL)
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    for answer, text in zip(answers, (EASY, SMALL), strict=True):
        assert is_solution(parse_puzzle(text), tuple(answer["cells"]))
        assert answer["outcome"] == "SOLVED"
        assert answer["report"]["seed"] == "7"


def test_a_file_is_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text(f"# two puzzles\n{EASY}\n\n{EASY.replace('.', '0')}\n")
    result = inkfill("sudoku", "--file", str(path))
    assert result.exit_code == 0
    assert "2 of 2 solved" in result.stdout


def test_a_file_may_be_gzipped_and_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "puzzles.csv.gz"
    path.write_bytes(gzip.compress(f"\ufeffpuzzle,rating\n{SMALL},1\n".encode()))
    assert inkfill("sudoku", "--file", str(path)).exit_code == 0


def test_a_file_of_other_bytes_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "latin1.txt").write_bytes(b"\xe9" * 81)
    (tmp_path / "broken.gz").write_bytes(gzip.compress(EASY.encode())[:-9])
    (tmp_path / "text.gz").write_text(EASY)
    for name in ("latin1.txt", "broken.gz", "text.gz"):
        result = inkfill("sudoku", "--file", str(tmp_path / name))
        assert result.exit_code == 2
        assert name in result.stderr.replace("\n", "")


def test_a_puzzle_of_a_file_that_fails_by_the_servers_fault_is_not_bad_input() -> None:
    async def answers() -> AsyncIterator[sudoku_pb2.SolveManyResponse]:
        error = status_pb2.Status(code=grpc.StatusCode.INTERNAL.value[0], message="internal error")
        yield sudoku_pb2.SolveManyResponse(id="1", error=error)

    class Stub:
        def SolveMany(self, requests: object, timeout: float | None) -> object:  # noqa: N802
            return answers()

    puzzles = [Puzzle(f"line {i}", parse_puzzle(SMALL)) for i in (1, 2)]
    solving = _solve_many(Stub(), puzzles, sudoku_pb2.SolveRequest(), None)  # type: ignore[arg-type]
    with pytest.raises(typer.Exit) as ended:
        asyncio.run(anext(solving))
    assert ended.value.exit_code == Exit.NOT_SOLVED


def test_standard_input_is_read() -> None:
    assert inkfill("sudoku", "--file", "-", "--json", stdin=EASY + "\n").exit_code == 0


def test_a_closed_standard_input_holds_no_puzzle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(typer.Exit) as ended:
        _gather([], [Path("-")], None)
    assert ended.value.exit_code == Exit.BAD_INPUT


def test_watching_draws_the_steps() -> None:
    result = inkfill("sudoku", "--watch", "--prove-unique", EASY)
    assert result.exit_code == 0
    assert "the only answer" in " ".join(result.stdout.split())


def test_contradicting_clues_exit_with_1_and_are_named() -> None:
    result = inkfill("sudoku", "11" + EASY[2:])
    assert result.exit_code == 1
    assert "UNSATISFIABLE" in result.stdout
    assert "clash in cells 0, 1" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["53..7"], "got 5 cells"),
        (["x" * 81], "x"),
        ([], "no puzzle given"),
        (["--box", "3", EASY], "--box: got '3'"),
        (["--server", "127.0.0.1:99999", EASY], "--server: got '127.0.0.1:99999'"),
        (["--server", "127.0.0.1:0", EASY], "port from 1 to 65535"),
        (["--server", "localhost", EASY], "accepted: host:port"),
        (["--server", "::1", EASY], "accepted: host:port"),
        (["--file", "no-such-file"], "no-such-file"),
        (["--max-steps", "0", EASY], "--max-steps: got 0, accepted: 1 to 1024"),
        (["--candidates", "999", EASY], "--candidates: got 999"),
        (["--max-steps", "-1", EASY], "--max-steps: got -1, accepted: 1 to 1024"),
        (["--candidates", str(2**32), EASY], f"--candidates: got {2**32}"),
        (["--seed", "-1", EASY], "--seed: got -1, accepted: 0 to 2^63 - 1"),
        (["--timeout", "nan", EASY], "--timeout: got nan, accepted: above 0"),
        (["--timeout", "0", EASY], "--timeout: got 0, accepted: above 0"),
        (["--timeout", "1e300", EASY], "--timeout: got 1e+300, accepted: above 0"),
    ],
)
def test_bad_input_exits_with_2_and_says_what_is_accepted(
    arguments: list[str], complaint: str
) -> None:
    result = inkfill("sudoku", *arguments)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())


def test_a_bad_line_of_a_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "puzzles.txt"
    path.write_text(f"{EASY}\n{EASY[:-1]}\n")
    result = inkfill("sudoku", "--file", str(path))
    assert result.exit_code == 2
    assert "line 2" in result.stderr


def test_a_server_that_is_not_there_is_said_to_be_unavailable() -> None:
    result = inkfill("sudoku", "--server", "127.0.0.1:1", EASY)
    assert result.exit_code == 1
    assert "error:" in result.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1"])
def test_a_server_that_is_not_there_is_said_in_a_sentence(address: str) -> None:
    result = inkfill("models", "--server", address)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: no server answers at {address}: ")


def test_a_host_of_no_name_is_said_in_a_sentence() -> None:
    result = inkfill("models", "--server", "no-such-host.invalid:50051")
    assert result.exit_code == 1
    assert result.stderr == "error: there is no host named no-such-host.invalid\n"


def test_an_answer_that_does_not_come_in_time_names_the_timeout() -> None:
    one = inkfill("sudoku", "--timeout", "0.00001", EASY)
    assert (one.exit_code, one.stderr.splitlines()[-1]) == (
        1,
        "error: --timeout: no answer within 1e-05 s",
    )
    many = inkfill("sudoku", "--timeout", "0.00001", EASY, EASY)
    assert many.stderr.splitlines()[-1] == "error: --timeout: no answer within 2e-05 s"


def test_models_fit_a_narrow_terminal_with_digests_that_can_be_read() -> None:
    lines = inkfill("models").stdout.splitlines()
    assert lines[0].split()[3] == "weights"
    assert len(lines[1].split()[3]) == 12
    assert max(map(len, lines)) <= 80


def test_models_are_listed() -> None:
    result = inkfill("models", "--json")
    models = {model["name"]: model for model in json.loads(result.stdout)["models"]}
    assert (models["sudoku"]["task"], models["sudoku"]["device"]) == ("sudoku", "cpu")


def test_models_of_ones_own_are_listed(tmp_path: Path) -> None:
    save_checkpoint(small_model(), tmp_path / "squares")
    named = ("--model", str(tmp_path / "squares"), "-m", "bundled")
    listed = json.loads(inkfill("models", *named, "--json").stdout)["models"]
    assert [model["task"] for model in listed][:2] == ["latin", "sudoku"]


def test_a_server_has_its_own_models() -> None:
    result = inkfill("models", "--server", "127.0.0.1:1", "--model", "bundled")
    assert result.exit_code == 2
    assert "--model: is for an engine that is started here" in " ".join(result.stderr.split())


def test_a_list_of_models_that_does_not_come_in_time_names_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        result = inkfill("models", "--server", address, "--timeout", "0.1")
    assert result.exit_code == 1
    assert result.stderr == "error: --timeout: no answer within 0.1 s\n"


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    result = inkfill("serve", "--port", "0", "--model", str(tmp_path))
    assert result.exit_code == 2
    assert str(tmp_path) in " ".join(result.stderr.split())


def test_bad_settings_name_the_flag() -> None:
    result = inkfill("serve", "--port", "99999")
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_help_keeps_defaults_and_the_example_whole() -> None:
    sudoku = inkfill("sudoku", "--help").stdout
    example = next(line for line in sudoku.splitlines() if "inkfill sudoku 8" in line)
    assert len(parse_puzzle(example.split()[-1]).cells) == 81
    assert "[default: (what the solver chooses)]" in " ".join(sudoku.split())
    assert "[default: (no limit)]" in " ".join(sudoku.split())


def test_help_tells_what_an_option_is_when_it_is_not_given() -> None:
    shown = " ".join(inkfill("serve", "--help").stdout.replace("│", " ").split())
    for name in ("host", "port", "max_batch", "max_queue", "log_level", "log_format"):
        assert f"[default: ({Settings.model_fields[name].default})]" in shown
    for command in ("sudoku", "models"):
        assert "[default: (" in inkfill(command, "--help").stdout


def test_help_teaches() -> None:
    for command in (
        ["--help"],
        ["sudoku", "--help"],
        ["serve", "--help"],
        ["train", "sudoku", "-h"],
    ):
        result = inkfill(*command, "--help")
        assert result.exit_code == 0
        assert len(result.stdout) > 300
