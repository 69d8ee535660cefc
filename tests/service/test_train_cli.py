"""``inkfill train``: checkpoints written, resumed and refused."""

import json
from pathlib import Path

import pytest
import torch

from engine.checkpoint import save_checkpoint
from tests.engine.factories import small_model
from tests.service.command_line import inkfill
from tests.service.graphs import random_checkpoints


def test_training_writes_a_checkpoint_that_serves_and_resumes(tmp_path: Path) -> None:
    small = ("--width", "16", "--depth", "2", "--canvases", "8", "--threads", "1")
    first = inkfill("train", "sudoku", str(tmp_path), "--minutes", "0.03", *small)
    assert first.exit_code == 0, first.stderr
    assert f"serve it: inkfill serve --model {tmp_path}\n" in first.stderr
    assert f"python -m benchmarks.sudoku --checkpoint {tmp_path}\n" in first.stderr
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


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--minutes", "inf", "--minutes"),
        ("--learning-rate", "inf", "--learning-rate"),
        ("--seed", "-1", "--seed"),
        ("--device", "tpu", "--device"),
        ("--device", "cuda", "device: got 'cuda', which PyTorch does not find; accepted: cpu"),
        ("--extra", "list.csv:nan", "--extra: got 'list.csv:nan', accepted: FILE or FILE:SHARE"),
        ("--extra", "list.csv:-1", "--extra: got 'list.csv:-1', accepted: FILE or FILE:SHARE"),
    ],
)
def test_training_refuses_what_it_would_fail_of_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str, complaint: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    small = ("--minutes", "0.01", "--width", "16", "--depth", "1", "--canvases", "4")
    result = inkfill("train", "sudoku", str(tmp_path), *small, option, value)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())


@pytest.mark.parametrize("problem", ["coloring", "independent-set", "hamiltonian"])
def test_training_writes_a_checkpoint_for_its_problem(tmp_path: Path, problem: str) -> None:
    small = ("--width", "16", "--depth", "1", "--canvases", "4", "--threads", "1")
    result = inkfill("train", "graph", problem, str(tmp_path), "--minutes", "0.02", *small)
    assert result.exit_code == 0, result.stderr
    assert f"serve it: inkfill serve --model {tmp_path}\n" in result.stderr
    assert json.loads((tmp_path / "config.json").read_text())["task"] == problem


def test_training_from_a_checkpoint_for_another_task_is_refused(tmp_path: Path) -> None:
    save_checkpoint(random_checkpoints()["coloring"].model, tmp_path / "start")
    start = ("--start", str(tmp_path / "start"))
    result = inkfill("train", "graph", "independent-set", str(tmp_path / "run"), *start)
    assert result.exit_code == 2
    assert "is a checkpoint for coloring, not for independent-set" in result.stderr
