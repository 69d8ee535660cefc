"""benchmarks/gpu.sh, on a Python that only says what it was asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.benchmarks.bare import ROOT

PARTS = ("tests", "gpu_kernels", "memory", "step_time")


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """Succeeds but for the memory benchmark, and sleeps in step_time where the folder says so."""
    path = tmp_path / "python"
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "*print*) echo 9 ;;\n"
        f'*step_time*) echo "asked $*"; [ ! -e {tmp_path}/slow ] || exec sleep 60 ;;\n'
        '*benchmarks.memory*) echo "no memory" >&2; exit 3 ;;\n'
        '*) echo "asked $*" ;;\n'
        "esac\n"
    )
    path.chmod(0o755)
    return path


def run_script(
    python: Path, *parts: str, seconds: int = 600
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """What it said, and its folder."""
    out = python.parent / "out"
    said = subprocess.run(
        [ROOT / "benchmarks" / "gpu.sh", *parts],
        env={**os.environ, "PYTHON": str(python), "OUT": str(out), "SECONDS_IN_ALL": str(seconds)},
        capture_output=True,
        text=True,
        check=False,
    )
    return said, out


def test_a_part_that_fails_does_not_stop_the_others_and_the_status_tells(python: Path) -> None:
    said, out = run_script(python)
    assert said.returncode == 1
    assert {path.name for path in out.iterdir()} == {f"{name}.log" for name in PARTS}
    assert "memory: status 3" in said.stdout
    assert "step_time: status 0" in said.stdout
    assert "no memory" in said.stdout  # the log's end


def test_parts_can_be_chosen(python: Path) -> None:
    said, out = run_script(python, "gpu_kernels")
    assert said.returncode == 0
    assert [path.name for path in out.iterdir()] == ["gpu_kernels.log"]
    assert run_script(python, "gpu")[0].returncode == 1


def test_what_takes_too_long_is_ended(python: Path) -> None:
    (python.parent / "slow").touch()
    said, _ = run_script(python, "step_time", "gpu_kernels", seconds=6)
    assert said.returncode == 1
    assert "step_time: status 124" in said.stdout
    assert "gpu_kernels: left out, no time" in said.stdout


def test_without_a_gpu_it_says_so(python: Path) -> None:
    python.write_text("#!/bin/sh\nexit 1\n")
    said, out = run_script(python)
    assert said.returncode == 1
    assert "no torch with a CUDA device" in said.stdout
    assert not out.exists()
