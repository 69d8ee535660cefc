"""Lines of a file that holds a graph, and the error that names one."""

from __future__ import annotations

import io
from collections.abc import Iterator

from solvers.problem_error import ProblemError

#: Characters of a line that an error shows.
_SHOWN = 40


def filled_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, without the blanks around them, each with its number from 1.

    They are taken one by one, so that a file that is refused at its first line is not split first.
    """
    stripped = (line.strip() for line in io.StringIO(text, newline=None))
    return ((number, line) for number, line in enumerate(stripped, start=1) if line)


def line_error(number: int, complaint: str, accepted: str) -> ProblemError:
    """The error of a line."""
    return ProblemError("graph", f"line {number}: {complaint}, accepted: {accepted}")


def shown(line: str) -> str:
    """A line as an error quotes it."""
    return repr(cut(line))


def cut(line: str) -> str:
    """As much of a line as fits into an error."""
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
