"""What every benchmark shares: where results go, what they name, how tables look."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
Row = Mapping[str, Any]
#: Of a processor, as the kernel names them.
_NUMBERS = {"family": "cpu family", "model": "model"}


def write_results(name: str, rows: Sequence[Row], **meta: Any) -> Path:
    """Write rows as JSON with commit, device and date.

    The folder is the one that the variable ``OUT`` names, or ``benchmarks/results``.
    """
    folder = Path(os.environ.get("OUT") or RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    record = {"benchmark": name, **provenance(), **meta, "rows": list(rows)}
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def provenance() -> dict[str, Any]:
    """Commit, whether the tree differs from it but for results, device, threads, versions, date."""
    return {
        **_CODE,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "device": device_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def device_name() -> str:
    """The GPU if there is one, else the processor and its cores."""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{_processor()}, {os.cpu_count()} cores"


def print_table(title: str, rows: Sequence[Row], **meta: Any) -> None:
    """Print rows as a table, one column a key of the first row, and under it where they are from.

    Where rich is not installed, as on a GPU node that has torch alone, columns are tabs apart.

    Args:
        title: above the table.
        rows: at least one.
        meta: what ``write_results`` is told, of which ``threads`` is shown.
    """
    lines = [[_shown(value) for value in row.values()] for row in rows]
    source = origin({**provenance(), **meta})
    if not find_spec("rich"):
        print(title, *("\t".join(line) for line in ([*rows[0]], *lines)), source, sep="\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*rows[0], title=title, title_justify="left")
    for line in lines:
        table.add_row(*line)
    console = Console(width=160)
    console.print(table)
    console.print(source, highlight=False)


def origin(record: Mapping[str, Any]) -> str:
    """A record's provenance in a line."""
    threads = record["threads"]
    tree = "modified" if record["modified"] else "as committed"
    return (
        f"{record['device']}; {threads} {'thread' if threads == 1 else 'threads'}; "
        f"{record['date']}; commit {record['commit']}, {tree}"
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if value < 100 else f"{value:.0f}"
    return str(value)


def _processor() -> str:
    """Its name, and the numbers that tell those of one name apart."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return platform.processor() or platform.machine()
    lines = first.replace("\t", "").splitlines()
    facts = dict(line.split(": ", 1) for line in lines if ": " in line)
    name = facts.get("model name", platform.machine())
    numbers = [f"{part} {facts[key]}" for part, key in _NUMBERS.items() if key in facts]
    return f"{name} ({', '.join(numbers)})" if numbers else name


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git here
        said = ""
    return said or ("unknown" if arguments[0] == "rev-parse" else "")


def _code() -> dict[str, Any]:
    others = (".", f":!{RESULTS.relative_to(ROOT)}")
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", *others)
    return {"commit": _git("rev-parse", "--short=12", "HEAD"), "modified": bool(changes)}


#: As it was when the benchmark began: what is measured, whatever is committed meanwhile.
_CODE = _code()
