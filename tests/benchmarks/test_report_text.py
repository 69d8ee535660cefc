"""Tables of text models on a GPU: what is measured, what is not, and what is computed."""

from pathlib import Path
from typing import Any

from benchmarks.report import NOT_MEASURED, _content
from benchmarks.report_text import memory, step_time
from benchmarks.step_rows import COMPILED, OURS, Side, failure
from benchmarks.step_time import with_floors
from benchmarks.text_cost import Ceilings
from benchmarks.text_model import SIZES

LIMITS = Ceilings(4e12, 8e14)


def row(side: str, batch: int, step: float | None, note: str = "") -> dict[str, Any]:
    figures = {"ms/step": step, "tok/s": 1000.0 if step else None}
    blank = failure(Side(side, "bf16", (batch,)), batch, note)
    return with_floors(blank | figures, SIZES["full"], 512, LIMITS)


def table(*rows: dict[str, Any]) -> list[str]:
    meta = {"bandwidth": LIMITS.bandwidth, "arithmetic": LIMITS.arithmetic, "size": "full"}
    return step_time({"rows": rows, **meta}).splitlines()


def test_without_results_a_document_says_so(tmp_path: Path) -> None:
    assert _content(tmp_path / "step_time.json", step_time) == NOT_MEASURED


def test_steps_stand_beside_those_of_transformers_in_the_same_batch() -> None:
    lines = table(row(OURS, 16, 100.0), row(OURS, 1, 16.0), row(COMPILED, 1, 40.0))
    assert [line.split(" | ")[2:4] for line in lines[2:5]] == [
        ["1", "16"],
        ["16", "100"],
        ["1", "40"],
    ]
    assert "| 82% | 2.50 |" in lines[2]  # 52.5 GB at 4 TB/s are 13.1 ms
    assert "| 49% |  |" in lines[3]  # and 39.3 TFLOP at 800 a second are 49.1


def test_what_failed_is_said_to_be_not_measured_and_why() -> None:
    lines = table(row(OURS, 32, None, "OutOfMemoryError: 80 GB"))
    assert "not measured | not measured" in lines[2]
    assert lines[-1] == "inkfill, bf16, 32: OutOfMemoryError: 80 GB"


def test_computed_memory_is_not_called_measured() -> None:
    figures = {"weights": 14.1, "cache": 0.27, "peak": 16.4, "reserved": None, "loading": None}
    rows = [{"precision": "int4", **figures, "by": "computed", "note": ""}]
    assert "| int4 | 14.1 | 0.27 | 16.4 |  |  | computed |" in memory(
        {"rows": rows, "prompt": 2048}
    )
