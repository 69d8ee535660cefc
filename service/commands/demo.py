"""``inkfill demo``: what ``make demo`` runs."""

from __future__ import annotations

import time

from inkfill.v1 import common_pb2, sudoku_pb2, sudoku_pb2_grpc

from service.commands.answers import watch_solve
from service.commands.connection import connect
from service.commands.console import Exit, out, print_line, run
from service.commands.headline import counted
from service.commands.sudoku import request_for
from solvers.sudoku.checker import is_solution
from solvers.sudoku.text import parse_puzzle

_PUZZLES = (
    (
        "17 clues, the fewest that a proper puzzle can have",
        "000000010400000000020000000000050407008000300001090000300400200050100000000806000",
    ),
    (
        "a hard one: no cell of it follows from simple rules",
        "800000000003600000070090200050007000000045700000100030001000068008500010090000400",
    ),
)


def demo() -> None:
    """Serve the bundled checkpoints and solve two Sudokus through gRPC, step by step."""
    run(_demo())


async def _demo() -> int:
    started, solved = time.monotonic(), 0
    async with connect(None) as channel:
        out.print(f"serving the bundled checkpoints ({time.monotonic() - started:.1f} s)\n")
        stub = sudoku_pb2_grpc.SudokuStub(channel)
        for title, text in _PUZZLES:
            out.print(f"[bold]{title}[/]")
            print_line(f"{text.replace('0', '.')}\n")
            solved += await _solve(stub, text)
    out.print(f"server stopped; {solved} of {len(_PUZZLES)} solved")
    return Exit.SOLVED if solved == len(_PUZZLES) else Exit.NOT_SOLVED


async def _solve(stub: sudoku_pb2_grpc.SudokuStub, text: str) -> bool:
    problem = parse_puzzle(text)
    # By default exact search comes in after a few steps; here the model is to be seen at work.
    effort = common_pb2.Effort(seed=1, max_steps=64)
    options = sudoku_pb2.SolveRequest(effort=effort)
    response = await watch_solve(stub, problem, request_for(problem, options))
    right = is_solution(problem, tuple(response.cells))
    claimed = response.outcome == common_pb2.SOLVED
    verdict = "[green]checked here too: right[/]" if right else "[red]not an answer[/]"
    out.print(f"{verdict}; {counted(response.report.candidates, 'candidate')}\n")
    return claimed and right
