"""Lines of a file that holds a graph, and the error that names one."""

from __future__ import annotations

import io
from collections.abc import Iterator

from solvers.problem_error import ProblemError

#: About twice what the complete graph of 512 vertices takes with both directions of every edge.
MAX_LINES = 1 << 19
#: Characters of a line that an error shows.
_SHOWN = 40


def filled_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, without the blanks around them, each with its number from 1.

    They are taken one by one, so that a file that is refused at its first line is not split first.

    Raises:
        ProblemError: there are too many lines.
    """
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if number > MAX_LINES:
            raise line_error(number, "too many lines", f"up to {MAX_LINES}")
        if stripped := line.strip():
            yield number, stripped


def line_error(number: int, complaint: str, accepted: str) -> ProblemError:
    """The error of a line."""
    return ProblemError("graph", f"line {number}: {complaint}, accepted: {accepted}")


def shown(line: str) -> str:
    """A line as an error quotes it."""
    return repr(cut(line))


def cut(line: str) -> str:
    """As much of a line as fits into an error."""
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
