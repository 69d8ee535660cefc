"""The first line of an answer: what is known, what found it, how long that took."""

from __future__ import annotations

from collections.abc import Iterable

from inkfill.v1 import common_pb2


def headline(
    outcome: common_pb2.Outcome, report: common_pb2.Report, facts: Iterable[str] = ()
) -> str:
    """Outcome and method, then ``facts``, then steps, milliseconds and seed."""
    parts = [common_pb2.Outcome.Name(outcome)]
    if report.method:
        parts[0] += f" by {words(report.method)}"
    parts += facts
    parts.append(counted(report.steps, "step"))
    parts.append(f"{report.queue_ms + report.compute_ms:.0f} ms")
    parts.append(f"seed {report.seed}")
    return ", ".join(parts)


def counted(count: int, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def words(method: common_pb2.Method) -> str:
    """A method's name as people write it."""
    return common_pb2.Method.Name(method).lower().replace("_", " ")
