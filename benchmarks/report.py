"""Write the measured tables into README.md, the docs and the model card.

Reads benchmarks/results/*.json and replaces what stands between ``<!-- NAME -->`` and
``<!-- /NAME -->``, so that no figure in the documents is typed by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, ROOT
from benchmarks.markdown import figure, markdown
from benchmarks.report_text import gpu_kernels, memory, step_time

DOCUMENTS = (
    ROOT / "README.md",
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "solvers").glob("**/checkpoint/MODEL_CARD.md"),
)
Record = dict[str, Any]
#: What a document says where there are no results.
NOT_MEASURED = "not measured yet"


def main() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for name, (benchmark, table) in TABLES.items():
            if f"<!-- {name} -->" in text:
                text = _fill(text, name, _content(RESULTS / f"{benchmark}.json", table))
        document.write_text(text, encoding="utf-8")
        print(document)


def _content(path: Path, table: Callable[[Record], str]) -> str:
    """What a document says of a benchmark, whose results may not be there."""
    if not path.exists():
        return NOT_MEASURED
    record = json.loads(path.read_text(encoding="utf-8"))
    return f"{table(record)}\n\n{_provenance(record)}"


def _fill(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}\n{content}\n\n{match[2]}", text)


def _provenance(record: Record) -> str:
    command = f"`python -m benchmarks.{record.get('module', record['benchmark'])}`"
    weights = f", weights {record['weights'][:12]}" if "weights" in record else ""
    tree = " with changes" if record["modified"] else ""
    commit = f"commit {record['commit']}{tree}{weights}"
    return f"{command} on {record['device']}, {record['date']}, {commit}."


def _sudoku(record: Record) -> str:
    """A list a line: what share each effort solves; of the default also by what, and how fast."""
    lists = list(dict.fromkeys(row["list"] for row in record["rows"]))
    efforts = list(dict.fromkeys(row["effort"] for row in record["rows"]))
    cells = {(row["list"], row["effort"]): row for row in record["rows"]}
    shown: list[tuple[str, str, Callable[[Record], str]]] = [
        *((effort, effort, partial(_share, "solved")) for effort in efforts),
        ("by model / guided / exact", "default", _by_method),
        ("default, puzzles/s", "default", lambda row: figure(row["puzzles/s"])),
    ]

    def line(name: str) -> list[str]:
        rows = [(cells.get((name, effort)), show) for _, effort, show in shown]
        count = next(row["puzzles"] for row in record["rows"] if row["list"] == name)
        return [f"{name} ({count:,})", *(show(r) if r else "not measured" for r, show in rows)]

    wrong = sum(row["wrong"] for row in record["rows"])
    table = markdown(["solved", *(title for title, *_ in shown)], [line(name) for name in lists])
    return f"{table}\n\nWrong answers, all rows: {wrong}."


def _by_method(row: Record) -> str:
    return " / ".join(_share(f"by {method}", row) for method in ("diffusion", "guided", "exact"))


def _share(of: str, row: Record) -> str:
    """Rounded down, so that only all of them are 100 %."""
    return f"{1000 * row[of] // row['puzzles'] / 10:.1f} %"


def _rows(record: Record) -> str:
    rows = record["rows"]
    return markdown(list(rows[0]), [[figure(value) for value in row.values()] for row in rows])


def _planted(record: Record, problem: str = "") -> str:
    """A kind of graph a line: what share each way of solving solves, and how fast by default."""
    rows = [row for row in record["rows"] if problem in row["problem"]]
    ways = list(dict.fromkeys(row["by"] for row in rows))
    cells = {(row["problem"], row["by"]): row for row in rows}
    kinds = dict.fromkeys(row["problem"] for row in rows)

    def line(kind: str) -> list[str]:
        found = [cells.get((kind, way)) for way in ways]
        shares = [_solved(row) if row else "" for row in found]
        default = cells[kind, "default"]
        speed = [figure(float(default["graphs/s"])), figure(float(default["longest s"]))]
        return [f"{kind} ({default['graphs']:,})", *shares, *speed]

    header = ["solved", *ways, "default, graphs/s", "default, longest s, 64 in flight"]
    wrong = sum(row["wrong"] for row in rows)
    return (
        f"{markdown(header, [line(kind) for kind in kinds])}\n\nWrong answers, all rows: {wrong}."
    )


def _solved(row: Record) -> str:
    return f"{1000 * row['solved'] // row['graphs'] / 10:.1f} %"


def _public(record: Record, other: str, fewer: bool) -> str:
    """How often the best known was reached, by size of graph; ``other`` is a greedy answer."""
    known = [row for row in record["rows"] if row["best known"] != ""]
    groups = {
        "up to 130 vertices": [row for row in known if row["vertices"] <= 130],
        "more": [row for row in known if row["vertices"] > 130],
    }

    def line(name: str, rows: list[Record]) -> list[str]:
        def reached(column: str) -> str:
            tried = [row for row in rows if row[column] != ""]
            good = sum(_reaches(row[column], row["best known"], fewer) for row in tried)
            return f"{good} of {len(tried)}"

        columns = [
            "model, 1 candidate",
            "model, 16 candidates",
            "guided",
            "default",
            "CP-SAT",
            other,
        ]
        proved = [f"{sum(row[c] for row in rows)}" for c in ("proved", "CP-SAT proved")]
        seconds = sorted(row["s"] for row in rows)
        return [name, *map(reached, columns), *proved, f"{seconds[len(seconds) // 2]:.2f}"]

    header = [
        "best known reached", "model, 1 candidate", "model, 16 candidates", "guided", "default",
        "CP-SAT without hints", other, "proved by default", "proved by CP-SAT", "default, median s",
    ]  # fmt: skip
    wrong = sum(row["wrong"] for row in record["rows"])
    lines = [line(name, rows) for name, rows in groups.items() if rows]
    limit = f"{record['limit_s']:g} seconds a graph at most, for default and CP-SAT each."
    return f"{markdown(header, lines)}\n\n{limit} Wrong answers, all rows: {wrong}."


def _reaches(value: Any, best: int, fewer: bool) -> bool:
    """A number against the best known, or whether an effort reached it."""
    if isinstance(value, bool):
        return value
    return bool(value <= best if fewer else value >= best)


def _engine_cpu(record: Record) -> str:
    """A row a checkpoint and batch; for each number of threads both sides and their ratios."""
    cells: dict[tuple[str, int], dict[str, Any]] = {}
    for row in record["rows"]:
        shown = cells.setdefault((row["checkpoint"], row["batch"]), {})
        label = f"{row['threads']} thread{'s' * (row['threads'] > 1)}"
        shown[f"transformers, {label}"] = row["transformers"]
        shown[f"step, {label}"] = row["step"]
        shown[f"x, {label}"] = row["step x"]
        if "floor x" in row:  # not in results from before there was a floor
            shown[f"floor x, {label}"] = row["floor x"]
    rows = [{"checkpoint": name, "batch": batch, **row} for (name, batch), row in cells.items()]
    return _rows({"rows": rows})


#: What a document has between its marks -> the benchmark that it is from, and how it is shown.
TABLES: dict[str, tuple[str, Callable[[Record], str]]] = {
    "sudoku": ("sudoku", _sudoku),
    "engine_cpu": ("engine_cpu", _engine_cpu),
    "step_time": ("step_time", step_time),
    "memory": ("memory", memory),
    "gpu_kernels": ("gpu_kernels", gpu_kernels),
    "latency": ("latency", _rows),
    "generator": ("generator", _rows),
    "graph_planted": ("graph_planted", _planted),
    "planted_colorings": ("graph_planted", partial(_planted, problem="colouring")),
    "planted_sets": ("graph_planted", partial(_planted, problem="independent set")),
    "planted_cycles": ("graph_planted", partial(_planted, problem="Hamiltonian")),
    "graph_coloring": ("graph_coloring", partial(_public, other="DSATUR", fewer=True)),
    "graph_coloring_rows": ("graph_coloring", _rows),
    "graph_independent_set": (
        "graph_independent_set",
        partial(_public, other="greedy", fewer=False),
    ),
    "graph_independent_set_rows": ("graph_independent_set", _rows),
}


if __name__ == "__main__":
    main()
