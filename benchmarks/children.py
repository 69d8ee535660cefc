"""A side's measurements in processes of their own: what fails takes nothing with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields

from benchmarks.step_rows import Case, Row, Side, failure

ROW = "row "  # before each in what a process says
_NO_TIME = "left out: no time"


def in_child(side: Side, case: Case, end: float) -> Iterator[Row]:
    """A side's rows from processes of its own: another one goes on after what killed the first.

    Args:
        side: what to measure.
        case: on what.
        end: when no time is left, as ``time.monotonic`` tells it.
    """
    left = list(side.batches)
    while left:
        if time.monotonic() >= end:
            yield from (failure(side, batch, _NO_TIME) for batch in left)
            return
        said, found = "", failure(side, left[0], "")
        for line in child_lines(side, left, case, end - time.monotonic()):
            if line.startswith(ROW):
                found = json.loads(line.removeprefix(ROW))
                yield found
                if found["tok/s"] or found["note"]:  # else it is to come again
                    left.remove(found["batch"])
            elif line.strip():
                print(line, end="", flush=True)
                said = line.strip()
        if left:
            batch, why = left.pop(0), said or "ended without a word"
            begun = found if found["batch"] == batch else failure(side, batch, "")
            yield {**begun, "note": _NO_TIME if time.monotonic() >= end else why[:200]}


def child_lines(side: Side, batches: Sequence[int], case: Case, allowed: float) -> Iterator[str]:
    """What a process says that is killed when its time is up."""
    options = {
        "--side": [side.name],
        "--precisions": [side.precision],
        "--batches": [str(batch) for batch in batches],
        **{f"--{field.name}": [str(getattr(case, field.name))] for field in fields(case)},
    }
    words = [word for name, values in options.items() for word in (name, *values)]
    command = [sys.executable, "-m", "benchmarks.step_time", *words]
    # A group of its own, which what compiles for it belongs to as well, and holds its output open.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    ) as process:
        timer = threading.Timer(allowed, _end, [process])
        timer.start()
        assert process.stdout is not None
        try:
            yield from process.stdout
        finally:
            timer.cancel()
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """A process that was started here, and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
