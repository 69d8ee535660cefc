"""How many processor cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota: Path = _QUOTA) -> int:
    """Cores that the process may run on, and that its container is given time on; at least 1.

    A container with a quota of two cores on a machine of 64 would only be slowed down by 64
    threads. What CPU time it is given is in the control group's ``cpu.max``: microseconds a period,
    or ``max`` (https://docs.kernel.org/admin-guide/cgroup-v2.html).

    Args:
        quota: the file to read; one that is not there sets no limit.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, _granted(quota)))


def _granted(quota: Path) -> int:
    """Whole cores' worth of time, rounded up; more than any machine has where there is no limit."""
    unlimited = 1 << 20
    try:
        time, period = quota.read_text(encoding="ascii").split()
        return unlimited if time == "max" else -(-int(time) // int(period))
    except (OSError, ValueError):  # no control groups of version 2 here
        return unlimited
