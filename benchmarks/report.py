"""Write the measured tables into README.md, the docs and the model card.

Reads benchmarks/results/*.json and replaces what stands between ``<!-- NAME -->`` and
``<!-- /NAME -->``, so that no figure in the documents is typed by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks.common import RESULTS, ROOT

DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "docs" / "training.md",
    ROOT / "solvers" / "sudoku" / "checkpoint" / "MODEL_CARD.md",
)
Record = dict[str, Any]


def main() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for name, table in TABLES.items():
            path = RESULTS / f"{name}.json"
            if path.exists() and f"<!-- {name} -->" in text:
                record = json.loads(path.read_text(encoding="utf-8"))
                text = _fill(text, name, f"{table(record)}\n\n{_provenance(record)}")
        document.write_text(text, encoding="utf-8")
        print(document)


def _fill(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return pattern.sub(lambda match: f"{match[1]}\n{content}\n\n{match[2]}", text)


def _provenance(record: Record) -> str:
    command = f"`python -m benchmarks.{record['benchmark']}`"
    weights = f", weights {record['weights'][:12]}" if "weights" in record else ""
    return f"{command} on {record['device']}, {record['date']}, commit {record['commit']}{weights}."


def _sudoku(record: Record) -> str:
    """A list a line: what share each effort solves; of the default also by what, and how fast."""
    lists = list(dict.fromkeys(row["list"] for row in record["rows"]))
    efforts = list(dict.fromkeys(row["effort"] for row in record["rows"]))
    cells = {(row["list"], row["effort"]): row for row in record["rows"]}
    shown: list[tuple[str, str, Callable[[Record], str]]] = [
        *((effort, effort, partial(_share, "solved")) for effort in efforts),
        ("by model / guided / exact", "default", _by_method),
        ("default, puzzles/s", "default", lambda row: _shown(row["puzzles/s"])),
    ]

    def line(name: str) -> list[str]:
        rows = [(cells.get((name, effort)), show) for _, effort, show in shown]
        count = next(row["puzzles"] for row in record["rows"] if row["list"] == name)
        return [f"{name} ({count:,})", *(show(r) if r else "not measured" for r, show in rows)]

    wrong = sum(row["wrong"] for row in record["rows"])
    table = _markdown(["solved", *(title for title, *_ in shown)], [line(name) for name in lists])
    return f"{table}\n\nWrong answers, all rows: {wrong}."


def _by_method(row: Record) -> str:
    return " / ".join(_share(f"by {method}", row) for method in ("diffusion", "guided", "exact"))


def _share(of: str, row: Record) -> str:
    """Rounded down, so that only all of them are 100 %."""
    return f"{1000 * row[of] // row['puzzles'] / 10:.1f} %"


def _rows(record: Record) -> str:
    rows = record["rows"]
    return _markdown(list(rows[0]), [[_shown(value) for value in row.values()] for row in rows])


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES: dict[str, Callable[[Record], str]] = {
    "sudoku": _sudoku,
    "engine_cpu": _rows,
    "latency": _rows,
    "generator": _rows,
}


if __name__ == "__main__":
    main()
