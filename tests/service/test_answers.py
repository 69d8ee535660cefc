"""An answer that is watched, in a terminal and out of one."""

import asyncio
import io
import re
from collections.abc import AsyncIterator

import pytest
from inkfill.v1 import common_pb2, sudoku_pb2
from rich.console import Console

from service.commands import answers, headline
from service.commands import console as consoles
from solvers.sudoku.text import parse_puzzle

PUZZLE = parse_puzzle("1.....3..4.....2")
SOLUTION = parse_puzzle("1324423124133142").cells


class Stub:
    """Two drafts and the answer."""

    async def SolveStream(  # noqa: N802
        self, request: object, timeout: float | None
    ) -> AsyncIterator[sudoku_pb2.SolveEvent]:
        for step in (1, 2):
            draft = sudoku_pb2.SolveDraft(
                step=step,
                cells=SOLUTION,
                accepted=[True] * 16,
                entropy=[0.0] * 16,
                method=common_pb2.DIFFUSION,
            )
            yield sudoku_pb2.SolveEvent(draft=draft)
        report = common_pb2.Report(method=common_pb2.DIFFUSION, steps=2, candidates=1)
        response = sudoku_pb2.SolveResponse(
            outcome=common_pb2.SOLVED, cells=SOLUTION, report=report
        )
        yield sudoku_pb2.SolveEvent(response=response)


def watched(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, height=30, color_system=None)
    monkeypatch.setattr(answers, "out", console)
    monkeypatch.setattr(consoles, "out", console)
    asyncio.run(answers.watch_solve(Stub(), PUZZLE, sudoku_pb2.SolveRequest()))  # type: ignore[arg-type]
    return file.getvalue()


def test_out_of_a_terminal_only_the_answer_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = watched(monkeypatch, terminal=False).split("\n")
    assert lines[:2] == ["SOLVED by diffusion, 2 steps, 0 ms, seed 0", " 1 3 │ 2 4"]
    assert len(lines) == 7
    assert lines[-1] == ""


def test_in_a_terminal_drafts_are_wiped_and_the_answer_stands_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = watched(monkeypatch, terminal=True)
    assert "step 1, diffusion" in drawn
    wiped = re.split(r"\x1b\[2K", drawn)[-1]
    assert "step" not in wiped.replace("2 steps", "")
    assert wiped.count(" 1 3 │ 2 4") == 1
    assert drawn.count("SOLVED by") == 1


def test_one_of_a_thing_is_not_many() -> None:
    assert [headline.counted(n, "candidate") for n in (0, 1, 2)] == [
        "0 candidates",
        "1 candidate",
        "2 candidates",
    ]
