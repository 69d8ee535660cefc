"""The answer to a puzzle as the command line shows it, with its drafts if they are watched."""

from __future__ import annotations

from inkfill.v1 import common_pb2, sudoku_pb2, sudoku_pb2_grpc
from rich.live import Live
from rich.text import Text

from service.commands.console import out
from service.display import beside, grid_text
from solvers.sudoku.problem import SudokuProblem


async def watch_solve(
    stub: sudoku_pb2_grpc.SudokuStub,
    problem: SudokuProblem,
    request: sudoku_pb2.SolveRequest,
    timeout: float | None = None,
) -> sudoku_pb2.SolveResponse:
    """Solve, draw every draft where the output is a terminal, then print the answer once."""
    response = sudoku_pb2.SolveResponse()
    with Live(console=out, auto_refresh=False, transient=True) as live:
        async for event in stub.SolveStream(request, timeout=timeout):
            if event.HasField("response"):
                response = event.response
                break
            live.update(_drawn(problem, event.draft), refresh=True)
    print_line(headline(response))
    print_line(_answer(problem, response), end="")
    return response


def print_solved(problem: SudokuProblem, response: sudoku_pb2.SolveResponse) -> None:
    """Print the headline on a line of its own, then puzzle and answer."""
    print_line(headline(response))
    puzzle = grid_text(problem.geometry, problem.cells, problem.cells)
    columns = (("puzzle", puzzle), ("answer", _answer(problem, response)))
    print_line(beside(*columns, width=out.width), end="")


def print_line(line: str | Text, end: str = "\n") -> None:
    """Print as it is: a terminal may fold a long line, but what is copied from it stays whole."""
    out.print(line, soft_wrap=True, markup=False, end=end)


def headline(response: sudoku_pb2.SolveResponse) -> str:
    """Outcome, method, steps and milliseconds in a line."""
    report = response.report
    parts = [common_pb2.Outcome.Name(response.outcome)]
    if report.method:
        parts[0] += f" by {_words(report.method)}"
    if response.conflicts:
        parts.append(f"clues clash in cells {', '.join(map(str, response.conflicts))}")
    if response.HasField("unique"):
        parts.append("the only answer" if response.unique else "not the only answer")
    parts.append(counted(report.steps, "step"))
    parts.append(f"{report.queue_ms + report.compute_ms:.0f} ms")
    parts.append(f"seed {report.seed}")
    return ", ".join(parts)


def counted(count: int, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _drawn(problem: SudokuProblem, draft: sudoku_pb2.SolveDraft) -> Text:
    title = (f"step {draft.step}, {_words(draft.method)}\n", "bold")
    grid = grid_text(problem.geometry, draft.cells, problem.cells, draft.accepted, draft.entropy)
    return Text.assemble(title, grid)


def _answer(problem: SudokuProblem, response: sudoku_pb2.SolveResponse) -> Text:
    cells = response.cells or problem.cells
    return grid_text(problem.geometry, cells, problem.cells, conflicts=response.conflicts)


def _words(method: common_pb2.Method) -> str:
    return common_pb2.Method.Name(method).lower().replace("_", " ")
