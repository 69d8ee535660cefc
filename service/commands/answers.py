"""The answer to a puzzle as the command line shows it, with its drafts if they are watched."""

from __future__ import annotations

from collections.abc import Iterator

from inkfill.v1 import sudoku_pb2, sudoku_pb2_grpc
from rich.live import Live
from rich.text import Text

from service.commands import headline as heading
from service.commands.console import out, print_line
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


def headline(response: sudoku_pb2.SolveResponse) -> str:
    """Outcome, method, steps and milliseconds in a line."""
    return heading.headline(response.outcome, response.report, _facts(response))


def _facts(response: sudoku_pb2.SolveResponse) -> Iterator[str]:
    if response.conflicts:
        yield f"clues clash in cells {', '.join(map(str, response.conflicts))}"
    if response.HasField("unique"):
        yield "the only answer" if response.unique else "not the only answer"


def _drawn(problem: SudokuProblem, draft: sudoku_pb2.SolveDraft) -> Text:
    title = (f"step {draft.step}, {heading.words(draft.method)}\n", "bold")
    grid = grid_text(problem.geometry, draft.cells, problem.cells, draft.accepted, draft.entropy)
    return Text.assemble(title, grid)


def _answer(problem: SudokuProblem, response: sudoku_pb2.SolveResponse) -> Text:
    cells = response.cells or problem.cells
    return grid_text(problem.geometry, cells, problem.cells, conflicts=response.conflicts)
