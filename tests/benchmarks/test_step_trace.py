"""What the profiler of a GPU found becomes a table."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.step_trace import launches_of, table


def kernel(name: str, start: float, duration: float, grid: list[int]) -> dict[str, Any]:
    return {"cat": "kernel", "name": name, "ts": start, "dur": duration, "args": {"grid": grid}}


def test_launches_of_one_kernel_and_grid_are_a_row_the_longest_first() -> None:
    trace = {
        "traceEvents": [
            kernel("_gate", 30.0, 10.0, [8, 1, 1]),
            {"cat": "cpu_op", "name": "aten::mul", "ts": 0.0, "dur": 500.0},
            kernel("_product", 0.0, 20.0, [4, 1, 1]),
            kernel("_product", 20.0, 25.0, [4, 1, 1]),
            kernel("_product", 45.0, 5.0, [2, 1, 1]),
        ]
    }
    rows = list(table(3, launches_of(trace)))
    assert [(row["kernel"], row["grid"], row["launches"]) for row in rows] == [
        ("_product", "[4, 1, 1]", 2),
        ("_gate", "[8, 1, 1]", 1),
        ("_product", "[2, 1, 1]", 1),
    ]
    assert rows[0]["us"] == 22.5
    assert [row["ms"] for row in rows] == pytest.approx([0.045, 0.01, 0.005])
    assert [row["share"] for row in rows] == pytest.approx([0.9, 0.2, 0.1])
    assert {row["canvases"] for row in rows} == {3}
