"""Words that every message shares, between the wire and the solvers' values, both ways."""

from __future__ import annotations

from inkfill.v1 import common_pb2

from service.errors import invalid_argument
from solvers.base import Effort, Guidance, Method, Outcome, Report


def effort_from(message: common_pb2.Effort) -> Effort:
    """How hard to try.

    Raises:
        EffortError: a number is out of range.
        WireError: the guidance is none that is known.
    """
    return Effort(
        max_steps=message.max_steps if message.HasField("max_steps") else None,
        candidates=message.candidates if message.HasField("candidates") else None,
        seed=message.seed if message.HasField("seed") else None,
        guidance=_guidance_from(message.guidance),
        exact_fallback=message.exact_fallback if message.HasField("exact_fallback") else True,
    )


def effort_to(effort: Effort) -> common_pb2.Effort:
    """The message of an effort; what is None stays absent."""
    return common_pb2.Effort(
        max_steps=effort.max_steps,
        candidates=effort.candidates,
        seed=effort.seed,
        guidance=effort.guidance.name,
        exact_fallback=effort.exact_fallback,
    )


def report_to(report: Report) -> common_pb2.Report:
    """The message of a report."""
    return common_pb2.Report(
        model=report.model,
        weights_digest=report.weights_digest,
        method=method_to(report.method),
        seed=report.seed,
        steps=report.steps,
        candidates=report.candidates,
        queue_ms=report.queue_ms,
        compute_ms=report.compute_ms,
    )


def report_from(message: common_pb2.Report) -> Report:
    """A report out of its message."""
    return Report(
        model=message.model,
        weights_digest=message.weights_digest,
        method=method_from(message.method),
        seed=message.seed,
        steps=message.steps,
        candidates=message.candidates,
        queue_ms=message.queue_ms,
        compute_ms=message.compute_ms,
    )


def method_to(method: Method | None) -> str | None:
    """The name of the wire's method; absent for None."""
    return None if method is None else method.name


def method_from(value: common_pb2.Method) -> Method | None:
    """A method; None for unspecified."""
    if value == common_pb2.METHOD_UNSPECIFIED:
        return None
    return Method[common_pb2.Method.Name(value)]


def outcome_from(value: common_pb2.Outcome) -> Outcome:
    """An outcome."""
    return Outcome[common_pb2.Outcome.Name(value)]


def _guidance_from(value: common_pb2.Guidance) -> Guidance:
    if value == common_pb2.GUIDANCE_UNSPECIFIED:
        return Guidance.AUTO
    if value not in common_pb2.Guidance.values():
        names = ", ".join(f"{g.name} ({common_pb2.Guidance.Value(g.name)})" for g in Guidance)
        raise invalid_argument("effort.guidance", f"got {value}, accepted: {names}")
    return Guidance[common_pb2.Guidance.Name(value)]
