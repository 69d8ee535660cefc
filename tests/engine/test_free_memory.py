"""How much memory is free, by what Linux and its control groups say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine import free_memory as module
from engine.free_memory import free_memory

CPU = torch.device("cpu")
MIB = 2**20


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group without a limit, on a machine that has 100 MiB available."""
    (tmp_path / "meminfo").write_text("MemTotal: 204800 kB\nMemAvailable: 102400 kB\n")
    (tmp_path / "cgroup").write_text("4:memory:/old\n0::/pod/box\n")
    monkeypatch.setattr(module, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(module, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(module, "_CGROUPS", tmp_path / "fs")
    box = tmp_path / "fs" / "pod" / "box"
    box.mkdir(parents=True)
    (box / "memory.max").write_text("max\n")
    return box


def limit(group: Path, most: int, used: int, files: int) -> None:
    (group / "memory.max").write_text(f"{most * MIB}\n")
    (group / "memory.current").write_text(f"{used * MIB}\n")
    (group / "memory.stat").write_text(
        f"anon 1\ninactive_file {files * MIB}\nactive_file {files * MIB}\n"
    )


def test_without_a_limit_what_is_available_is_free(group: Path) -> None:
    assert free_memory(CPU) == 100 * MIB


def test_a_limit_counts_and_pages_of_files_are_free(group: Path) -> None:
    limit(group, most=80, used=50, files=10)
    assert free_memory(CPU) == 50 * MIB


def test_a_limit_of_a_group_above_counts(group: Path) -> None:
    limit(group, most=80, used=50, files=10)
    limit(group.parent, most=60, used=50, files=0)
    assert free_memory(CPU) == 10 * MIB


def test_a_limit_above_what_is_available_does_not(group: Path) -> None:
    limit(group, most=1000, used=50, files=10)
    assert free_memory(CPU) == 100 * MIB


def test_a_full_group_has_nothing_left(group: Path) -> None:
    limit(group, most=10, used=11, files=0)
    assert free_memory(CPU) == 0


def test_this_machine_has_memory() -> None:
    free = free_memory(CPU)
    assert free is None or free > 0


def test_a_gpu_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (device.index, 80))
    assert free_memory(torch.device("cuda:3")) == 3


def test_what_cannot_be_told_is_none(group: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MEMINFO", group / "nowhere")
    assert free_memory(CPU) is None
    assert free_memory(torch.device("meta")) is None
