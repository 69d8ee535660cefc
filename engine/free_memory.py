"""How much memory a device has left for weights."""

from __future__ import annotations

from pathlib import Path

import torch

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be taken on a device.

    On the CPU what Linux calls available, or what the process's control group or one above it
    (version 2) leaves of its limit, whichever is less. Pages of files count as free in both.

    Returns:
        None where it cannot be told: on other systems than Linux, on other devices than a GPU.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu" or not _MEMINFO.is_file():
        return None
    return min([_table(_MEMINFO)["MemAvailable:"] * 1024, *_left_in_groups()])


def _left_in_groups() -> list[int]:
    """What each control group that has a limit leaves of it, from the process's own upwards."""
    if not _CGROUP.is_file():
        return []
    inside = [line[3:] for line in _CGROUP.read_text().splitlines() if line.startswith("0::")]
    group = _CGROUPS / inside[0].lstrip("/") if inside else _CGROUPS
    folders = [group, *group.parents]
    return [_left_in(folder) for folder in folders if _limit(folder) is not None]


def _limit(group: Path) -> int | None:
    path = group / "memory.max"
    text = path.read_text().strip() if path.is_file() else "max"
    return None if text == "max" else int(text)


def _left_in(group: Path) -> int:
    files = _table(group / "memory.stat")
    used = int((group / "memory.current").read_text())
    reclaimable = files["active_file"] + files["inactive_file"]
    return max((_limit(group) or 0) - used + reclaimable, 0)


def _table(path: Path) -> dict[str, int]:
    """A file of lines that begin with a name and a number."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows}
