"""A container's quota and a process's affinity bound the threads that are worth starting."""

import os
from pathlib import Path

import pytest

from engine.cores import usable_cores

#: What there is without any quota.
ALL = usable_cores(Path("nowhere"))


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("100000 100000", 1),
        ("20000 100000", 1),
        ("150000 100000", min(2, ALL)),
        ("max 100000", ALL),
        ("99900000 100000", ALL),
        ("nonsense", ALL),
        ("", ALL),
    ],
)
def test_a_quota_bounds_the_cores(tmp_path: Path, text: str, cores: int) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text, encoding="ascii")
    assert usable_cores(quota) == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity_bounds_the_cores() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
