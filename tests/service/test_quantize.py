"""``inkfill quantize``, whole commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.checkpoint import StoredCheckpoint, save_checkpoint
from engine.precision.precision import Precision
from service.commands.app import app
from service.commands.console import Exit
from tests.engine.factories import small_model


def inkfill(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_checkpoint(small_model(), tmp_path / "in")
    return tmp_path / "in"


@pytest.mark.parametrize("precision", ["int4", "int8", "fp8"])
def test_a_checkpoint_becomes_smaller_and_says_what_is_lost(source: Path, precision: str) -> None:
    out = source.parent / "out"
    result = inkfill("quantize", source, out, "--precision", precision)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].split("  ")[0] == "layer"
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "self-conditioning"]
    assert lines[2].split()[3] == "-"  # full attention has no value projection
    assert all("%" in line for line in lines[1:5])
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[4].endswith(f"in {precision}: {out}")
    stored = StoredCheckpoint.open(out)
    assert stored.quantization is not None
    assert stored.quantization.precision is Precision(precision)


def test_layers_come_in_their_order(tmp_path: Path) -> None:
    from service.commands.quantize import _table

    errors = {f"layers.{i}.self_attn.q_proj.weight": i / 100 for i in (10, 9, 0)}
    table = list(_table(errors | {"self_conditioning.up_proj.weight": 0.5}))
    assert [line.split()[:2] for line in table[1:]] == [
        ["0", "0.00%"],
        ["9", "9.00%"],
        ["10", "10.00%"],
        ["self-conditioning", "-"],
    ]


@pytest.mark.parametrize(
    ("out", "precision", "complaint"),
    [
        ("in", "int4", "is the checkpoint itself; name another folder to write to"),
        (".", "int4", "is not empty; name a folder that is empty or not there"),
        ("out", "int2", "'int2' is not one of 'int4', 'int8', 'fp8'"),
    ],
)
def test_bad_input_is_refused_in_a_line(
    source: Path, out: str, precision: str, complaint: str
) -> None:
    result = inkfill("quantize", source, source.parent / out, "--precision", precision)
    assert result.exit_code == Exit.BAD_INPUT
    assert complaint in result.stderr


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    result = inkfill("quantize", tmp_path / "none", tmp_path / "out", "--precision", "int4")
    assert result.exit_code == Exit.BAD_INPUT
    assert "none is not a folder; expected a checkpoint folder" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_name_on_the_hub_is_fetched(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def fetch(repository: str, revision: str | None = None) -> Path:
        asked.append((repository, revision))
        return source

    monkeypatch.setattr("service.hub.fetch", fetch)
    out = source.parent / "out"
    result = inkfill("quantize", "org/name@v2", out, "--precision", "int8")
    assert result.exit_code == 0, result.stderr
    assert asked == [("org/name", "v2")]
    assert StoredCheckpoint.open(out).quantization is not None
