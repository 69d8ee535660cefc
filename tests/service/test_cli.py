"""The command line, each test a whole command with a server of its own."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import typer
from google.rpc import status_pb2
from inkfill.v1 import sudoku_pb2
from typer.testing import CliRunner, Result

from engine.checkpoint import save_checkpoint
from service.commands.app import app
from service.commands.console import Exit
from service.commands.sudoku import Puzzle, _solve_many
from solvers.sudoku.checker import is_solution
from solvers.sudoku.text import parse_puzzle
from tests.engine.factories import small_model

EASY = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
SMALL = "1...|..3.|.4..|...2"


def inkfill(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def test_a_puzzle_is_solved_and_drawn() -> None:
    result = inkfill("sudoku", EASY)
    assert result.exit_code == 0
    assert "SOLVED by" in result.stdout
    assert "5 3 4 │ 6 7 8 │ 9 1 2" in result.stdout


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
        (["--file", "no-such-file"], "no-such-file"),
        (["--max-steps", "0", EASY], "effort.max_steps: got 0, accepted: 1 to 1024"),
        (["--candidates", "999", EASY], "effort.candidates: got 999"),
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


def test_models_are_listed() -> None:
    result = inkfill("models", "--json")
    (model,) = json.loads(result.stdout)["models"]
    assert (model["name"], model["task"], model["device"]) == ("sudoku", "sudoku", "cpu")


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    result = inkfill("serve", "--port", "0", "--model", str(tmp_path))
    assert result.exit_code == 2
    assert str(tmp_path) in " ".join(result.stderr.split())


def test_bad_settings_name_the_flag() -> None:
    result = inkfill("serve", "--port", "99999")
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_training_writes_a_checkpoint_that_serves_and_resumes(tmp_path: Path) -> None:
    small = ("--width", "16", "--depth", "2", "--canvases", "8", "--threads", "1")
    first = inkfill("train", "sudoku", str(tmp_path), "--minutes", "0.03", *small)
    assert first.exit_code == 0, first.stderr
    updates = len((tmp_path / "log.jsonl").read_text().splitlines())
    again = inkfill("train", "sudoku", str(tmp_path), "--minutes", "0.05", *small)
    assert again.exit_code == 0, again.stderr
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) > updates
    assert (tmp_path / "model.safetensors").exists()


def test_training_on_a_state_of_other_sizes_is_refused(tmp_path: Path) -> None:
    common = ("--minutes", "0.02", "--depth", "1", "--canvases", "4", "--threads", "1")
    assert inkfill("train", "sudoku", str(tmp_path), "--width", "16", *common).exit_code == 0
    result = inkfill("train", "sudoku", str(tmp_path), "--width", "24", *common)
    assert result.exit_code == 2
    assert "another folder" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("start", "complaint"),
    [
        ("squares", "squares is a checkpoint for latin, not for sudoku"),
        ("empty", "empty holds neither model.safetensors nor"),
        ("nowhere", "nowhere is not a folder"),
    ],
)
def test_training_from_no_sudoku_checkpoint_is_refused(
    tmp_path: Path, start: str, complaint: str
) -> None:
    save_checkpoint(small_model(), tmp_path / "squares")
    (tmp_path / "empty").mkdir()
    result = inkfill("train", "sudoku", str(tmp_path / "run"), "--start", str(tmp_path / start))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert complaint in result.stderr


def test_help_teaches() -> None:
    for command in (["--help"], ["sudoku", "--help"], ["serve", "--help"], ["train", "--help"]):
        result = inkfill(*command)
        assert result.exit_code == 0
        assert len(result.stdout) > 300
