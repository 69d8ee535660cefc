"""The text path and its benchmarks run where torch, NumPy and Triton are, and little else."""

import json
from pathlib import Path

from tests.benchmarks.bare import ABSENT, ROOT, run_bare

TINY = ("--device", "cpu", "--size", "tiny", "--prompt", "16", "--steps", "2", "--canvases", "2")


def test_what_is_hidden_cannot_be_imported(tmp_path: Path) -> None:
    program = (
        "from importlib.util import find_spec\n"
        f"assert not any(map(find_spec, {ABSENT!r}))\n"
        "assert find_spec('torch')"
    )
    assert run_bare(tmp_path, "-c", program).returncode == 0


def test_all_that_the_text_path_computes_with_is_imported(tmp_path: Path) -> None:
    needs_more = {
        "answer",
        "chat_template",
        "text_checkpoint",
        "text_lane",
        "text_stream",
        "tokenizer",
    }
    names = sorted(path.stem for path in (ROOT / "engine" / "text").glob("[!_]*.py"))
    program = "\n".join(f"import engine.text.{name}" for name in names if name not in needs_more)
    said = run_bare(tmp_path, "-c", program)
    assert said.returncode == 0, said.stderr


def test_steps_are_measured_in_processes_and_a_side_that_cannot_run_is_said_to_fail(
    tmp_path: Path,
) -> None:
    options = ("--precisions", "int4", "--batches", "1", "--peer-batches", "1", "--processes")
    said = run_bare(tmp_path, "-m", "benchmarks.step_time", *TINY, *options)
    assert said.returncode == 1, said.stderr
    record = json.loads((tmp_path / "step_time.json").read_text())
    ours, *theirs = record["rows"]
    assert ours["side"] == "inkfill"
    assert ours["ms/step"] > 0
    assert ours["experts"] == 8
    assert {row["side"] for row in theirs} == {"transformers", "transformers, compiled"}
    assert all("No module named 'transformers'" in row["note"] for row in theirs)


def test_every_precision_is_measured(tmp_path: Path) -> None:
    options = ("--precisions", "bf16", "fp8", "int8", "--batches", "2", "--peer-batches")
    said = run_bare(tmp_path, "-m", "benchmarks.step_time", *TINY, *options)
    rows = json.loads((tmp_path / "step_time.json").read_text())["rows"]
    assert [row["precision"] for row in rows] == ["bf16", "fp8", "int8"]
    assert all(row["ms/step"] > 0 for row in rows), said.stderr


def test_memory_is_computed_where_there_is_no_gpu(tmp_path: Path) -> None:
    said = run_bare(tmp_path, "-m", "benchmarks.memory")
    assert said.returncode == 0, said.stderr
    rows = {
        row["precision"]: row for row in json.loads((tmp_path / "memory.json").read_text())["rows"]
    }
    assert {row["by"] for row in rows.values()} == {"computed"}
    assert 14 < rows["int4"]["weights"] < rows["int4"]["peak"] < 18
