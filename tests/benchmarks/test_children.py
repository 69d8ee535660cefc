"""A side's rows when its processes die."""

import time
from collections.abc import Iterator, Sequence
from json import dumps
from typing import Any

import pytest

from benchmarks import children
from benchmarks.children import ROW, child_lines, in_child
from benchmarks.step_rows import OURS, Case, Row, Side, failure

CASE = Case(size="tiny", device="cpu", prompt=8, steps=1, canvases=2)
SIDE = Side(OURS, "bf16", (1, 4, 16))


def row(batch: int, **figures: float) -> Row:
    return failure(SIDE, batch, "") | figures


def rows_of(monkeypatch: pytest.MonkeyPatch, *lives: Sequence[str | Row]) -> tuple[list[Row], Any]:
    """What comes of processes that say these lines, one after another, and what each was asked."""
    said, asked = iter(lives), []

    def lines(side: Side, batches: Sequence[int], *_: object) -> Iterator[str]:
        asked.append(list(batches))
        for line in next(said):
            yield f"{line}\n" if isinstance(line, str) else f"{ROW}{dumps(line)}\n"

    monkeypatch.setattr(children, "child_lines", lines)
    return list(in_child(SIDE, CASE, time.monotonic() + 60)), asked


def test_the_others_go_on_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    step, whole = {"ms/step": 2.0}, {"ms/step": 2.0, "tok/s": 9.0}
    rows, asked = rows_of(
        monkeypatch,
        [row(1, **step), row(1, **whole), row(4, **step), "CUDA error: an illegal address"],
        ["Killed"],
    )
    assert asked == [[1, 4, 16], [16]]
    assert rows[-2:] == [
        row(4, **step) | {"note": "CUDA error: an illegal address"},
        row(16) | {"note": "Killed"},
    ]


def test_a_failure_that_was_told_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [failure(SIDE, batch, "OutOfMemoryError: no") for batch in SIDE.batches]
    assert rows_of(monkeypatch, told) == (told, [[1, 4, 16]])


def test_what_there_is_no_time_for_is_said_to_be_left_out() -> None:
    rows = list(in_child(SIDE, CASE, time.monotonic()))
    assert [(x["batch"], x["note"]) for x in rows] == [(n, "left out: no time") for n in (1, 4, 16)]


def test_a_process_is_ended_when_its_time_is_up() -> None:
    start = time.monotonic()
    assert not [line for line in child_lines(SIDE, [1], CASE, 0.2) if line.startswith(ROW)]
    assert time.monotonic() - start < 30
