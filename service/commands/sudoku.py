"""``inkfill sudoku``."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from inkfill.v1 import common_pb2, sudoku_pb2, sudoku_pb2_grpc
from rich.progress import Progress

from service.client_errors import from_status
from service.commands.answers import headline, print_solved, watch_solve
from service.commands.connection import connect
from service.commands.console import Exit, err, fail, fail_call, print_line, run
from service.commands.effort_options import (
    CandidatesOption,
    ExactOption,
    GuidanceOption,
    MaxStepsOption,
    SeedOption,
    effort_of,
)
from service.commands.server_option import LONGEST_S, ServerOption, TimeoutOption, naming_timeout
from service.messages import effort_to
from solvers.base import Guidance
from solvers.problem_error import ProblemError
from solvers.sudoku.problem import SudokuProblem
from solvers.sudoku.text import format_line, parse_puzzle, read_lines


@dataclass(frozen=True)
class Puzzle:
    """A problem, and where it came from."""

    source: str
    problem: SudokuProblem


def sudoku(
    puzzles: Annotated[
        list[str] | None,
        typer.Argument(
            help="Puzzles row by row, '.' or '0' for a blank (81 characters for 9 x 9; digits "
            "above 9 are letters, A = 10).",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(
            "--file",
            "-f",
            help="File with one puzzle a line, or a CSV, gzipped if it ends in .gz; '-' reads "
            "standard input. Blank lines and those that begin with # are skipped.",
        ),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(
            help="Rows x columns of a box, e.g. 2x3.", show_default="from the number of cells"
        ),
    ] = None,
    guidance: GuidanceOption = Guidance.AUTO,
    max_steps: MaxStepsOption = None,
    candidates: CandidatesOption = None,
    seed: SeedOption = None,
    exact: ExactOption = True,
    prove_unique: Annotated[
        bool, typer.Option("--prove-unique", help="Also prove whether the answer is the only one.")
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Draw the canvas as it denoises, where the output is a terminal."
        ),
    ] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print response messages as JSON, one a line, in the order of the puzzles. Wins "
            "over --watch.",
        ),
    ] = False,
    server: ServerOption = None,
    timeout: TimeoutOption = None,
) -> None:
    """Solve Sudokus from 4 x 4 to 16 x 16.

    Exits with 0 if all are solved, 1 if not, 2 if the input is bad.

    \b
    Example:
    inkfill sudoku 8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..
    """  # noqa: D301  # click takes a backspace for "do not fold this paragraph"
    given = _gather(puzzles or [], file or [], box)
    effort = effort_of(guidance, max_steps, candidates, seed, exact)
    options = sudoku_pb2.SolveRequest(prove_unique=prove_unique, effort=effort_to(effort))
    run(_solve(given, options, watch, json, server, timeout))


def request_for(
    problem: SudokuProblem, options: sudoku_pb2.SolveRequest
) -> sudoku_pb2.SolveRequest:
    """The message that asks for ``problem`` to be solved as ``options`` say."""
    request = sudoku_pb2.SolveRequest(
        cells=problem.cells,
        box_rows=problem.geometry.box_rows,
        box_cols=problem.geometry.box_cols,
    )
    request.MergeFrom(options)
    return request


def _gather(texts: Sequence[str], files: Sequence[Path], box: str | None) -> list[Puzzle]:
    """Parse all puzzles before any is solved; the first bad one ends the command."""
    sides = _box(box)
    sources = [(f"puzzle {i}", text) for i, text in enumerate(texts, start=1)]
    for path in files:
        try:
            lines = list(read_lines((sys.stdin or ()) if str(path) == "-" else path))
        except (OSError, EOFError) as error:
            fail(f"{path}: {getattr(error, 'strerror', None) or error}")
        sources += [(f"{path}, line {number}", text) for number, text in lines]
    if not sources:
        fail("no puzzle given: pass one as an argument, or a file with --file; see --help")
    return [Puzzle(source, _parse(source, text, sides)) for source, text in sources]


def _parse(source: str, text: str, sides: tuple[int | None, int | None]) -> SudokuProblem:
    try:
        return parse_puzzle(text, *sides)
    except ProblemError as error:
        fail(f"{source}: {error}")


def _box(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    rows, _, cols = text.lower().partition("x")
    if not (rows.strip().isdecimal() and cols.strip().isdecimal()):
        fail(f"--box: got {text!r}, accepted: rows x columns, as in 3x3 or 2x3")
    return int(rows), int(cols)


async def _solve(
    puzzles: Sequence[Puzzle],
    options: sudoku_pb2.SolveRequest,
    watch: bool,
    json: bool,
    server: str | None,
    timeout: float | None,
) -> int:
    limit = timeout
    async with connect(server) as channel:
        stub = sudoku_pb2_grpc.SudokuStub(channel)
        if watch and not json:
            answers = _watch_each(stub, puzzles, options, limit)
        elif len(puzzles) == 1:
            answers = _solve_one(stub, puzzles[0], options, limit)
        else:
            limit = None if timeout is None else min(LONGEST_S, timeout * len(puzzles))
            answers = _solve_many(stub, puzzles, options, limit)
        with naming_timeout(limit):
            return await _print_all(answers, len(puzzles), watch, json)


async def _print_all(
    answers: AsyncIterator[tuple[Puzzle, sudoku_pb2.SolveResponse]],
    total: int,
    watch: bool,
    json: bool,
) -> int:
    solved = 0
    with Progress(console=err, transient=True, disable=total == 1 or watch) as progress:
        task = progress.add_task("solving", total=total)
        async for puzzle, response in answers:
            solved += response.outcome == common_pb2.SOLVED
            _print(puzzle, response, total, watch, json)
            progress.advance(task)
    if total > 1 and not json:
        print_line(f"{solved} of {total} solved")
    return Exit.SOLVED if solved == total else Exit.NOT_SOLVED


async def _watch_each(
    stub: sudoku_pb2_grpc.SudokuStub,
    puzzles: Sequence[Puzzle],
    options: sudoku_pb2.SolveRequest,
    timeout: float | None,
) -> AsyncIterator[tuple[Puzzle, sudoku_pb2.SolveResponse]]:
    for puzzle in puzzles:
        request = request_for(puzzle.problem, options)
        yield puzzle, await watch_solve(stub, puzzle.problem, request, timeout)


async def _solve_one(
    stub: sudoku_pb2_grpc.SudokuStub,
    puzzle: Puzzle,
    options: sudoku_pb2.SolveRequest,
    timeout: float | None,
) -> AsyncIterator[tuple[Puzzle, sudoku_pb2.SolveResponse]]:
    yield puzzle, await stub.Solve(request_for(puzzle.problem, options), timeout=timeout)


async def _solve_many(
    stub: sudoku_pb2_grpc.SudokuStub,
    puzzles: Sequence[Puzzle],
    options: sudoku_pb2.SolveRequest,
    limit: float | None,
) -> AsyncIterator[tuple[Puzzle, sudoku_pb2.SolveResponse]]:
    """Stream all puzzles; answers come back in the order of the puzzles."""

    async def requests() -> AsyncIterator[sudoku_pb2.SolveManyRequest]:
        for index, puzzle in enumerate(puzzles):
            request = request_for(puzzle.problem, options)
            yield sudoku_pb2.SolveManyRequest(id=str(index), request=request)

    early: dict[int, sudoku_pb2.SolveResponse] = {}
    following = 0
    async for reply in stub.SolveMany(requests(), timeout=limit):
        if reply.HasField("error"):
            fail_call(from_status(reply.error), puzzles[int(reply.id)].source)
        early[int(reply.id)] = reply.response
        while following in early:
            yield puzzles[following], early.pop(following)
            following += 1


def _print(
    puzzle: Puzzle, response: sudoku_pb2.SolveResponse, total: int, watch: bool, json: bool
) -> None:
    if json:
        print(MessageToJson(response, preserving_proto_field_name=True, indent=None), flush=True)
    elif total > 1 and not watch:
        cells = response.cells or puzzle.problem.cells
        print_line(f"{format_line(cells)}  {headline(response)}")
    elif not watch:
        print_solved(puzzle.problem, response)
