"""The command line on graphs: bad input ends a command with 2 and what is accepted."""

import gzip
from pathlib import Path

import pytest

from tests.service.command_line import inkfill
from tests.service.graphs import KITE


@pytest.fixture
def kite(tmp_path: Path) -> str:
    path = tmp_path / "kite.csv"
    path.write_text(KITE)
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["color", "no-such-file"], "no-such-file: No such file"),
        (["color", "KITE", "--colors", "0"], "'--colors'"),
        (["color", "KITE", "--colors", "513"], "'--colors'"),
        (["color", "KITE", "--clamp", "ada"], "got 'ada', accepted: a vertex and its color, NAME="),
        (["color", "KITE", "--clamp", "ada=-1"], "got 'ada=-1', accepted: a vertex and its color"),
        (["color", "KITE", "--clamp", "eve=1"], "--clamp: no vertex is named 'eve', accepted: ada"),
        (["color", "KITE", "--clamp", "ada=4"], "--clamp ada=4: color 4, accepted: 0 to 3"),
        (
            ["color", "KITE", "--colors", "2", "--clamp", "ada=2"],
            "--clamp ada=2: color 2, accepted: 0 to 1",
        ),
        (
            ["color", "KITE", "--clamp", "ada=1", "--clamp", "ada=2"],
            "--clamp ada=2: ada has color 1 already",
        ),
        (["color", "KITE", "--max-steps", "0"], "--max-steps: got 0, accepted: 1 to 1024"),
        (["color", "KITE", "--timeout", "0"], "--timeout: got 0, accepted: above 0"),
        (["color", "KITE", "--server", "localhost"], "accepted: host:port"),
        (["color", "KITE", "--svg", "no-such-folder/a.svg"], "--svg: got 'no-such-folder/a.svg'"),
        (["color", "KITE", "--format", "gml"], "'--format'"),
        (["independent-set", "KITE", "--size", "0"], "--size: got 0, accepted: 1 to 4"),
        (["independent-set", "KITE", "--size", "5"], "--size: got 5, accepted: 1 to 4"),
        (
            ["independent-set", "KITE", "--vertex-cover", "--size", "4"],
            "--size: got 4, accepted: 0 to 3",
        ),
        (["independent-set", "KITE", "--include", "eve"], "--include: no vertex is named 'eve'"),
        (
            ["independent-set", "KITE", "--include", "ada", "--exclude", "ada"],
            "--exclude: ada is also included, accepted: one of them",
        ),
        (["independent-set", "KITE", "--clique", "--vertex-cover"], "--vertex-cover: got --clique"),
        (["independent-set", "KITE", "--clique", "--watch"], "--watch: got a clique, accepted: an"),
        (["hamiltonian", "KITE", "--start", "eve"], "--start: no vertex is named 'eve'"),
        (["hamiltonian", "KITE", "--clamp", "ada=4"], "--clamp ada=4: place 4, accepted: 0 to 3"),
        (
            ["hamiltonian", "KITE", "--start", "ada", "--end", "ada"],
            "ada is given places 0 and 3, accepted: one place a vertex",
        ),
        (
            ["hamiltonian", "KITE", "--start", "ada", "--clamp", "bob=0"],
            "place 0 is given to bob and ada, accepted: one vertex a place",
        ),
    ],
)
def test_bad_input_exits_with_2_and_says_what_is_accepted(
    kite: str, arguments: list[str], complaint: str
) -> None:
    result = inkfill(*(kite if each == "KITE" else each for each in arguments))
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.replace("│", " ").split())


def test_a_file_of_other_bytes_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "broken.gz").write_bytes(gzip.compress(KITE.encode())[:-9])
    (tmp_path / "spoilt.gz").write_bytes(gzip.compress(KITE.encode())[:10] + b"\xff" * 40)
    (tmp_path / "text.gz").write_text(KITE)
    (tmp_path / "loop.txt").write_text("a b\nb b\n")
    for name in ("broken.gz", "spoilt.gz", "text.gz", "loop.txt"):
        result = inkfill("color", str(tmp_path / name))
        assert result.exit_code == 2
        assert name in result.stderr.replace("\n", "")
    assert inkfill("color", "-", stdin=b"\xe9 b\n").exit_code == 2


def test_a_closed_standard_input_holds_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.commands.graph_options.sys.stdin", None)
    assert inkfill("color", "-").exit_code == 2
