"""Write the measured tables into README.md and the model card.

Reads benchmarks/results/*.json and replaces what stands between ``<!-- NAME -->`` and
``<!-- /NAME -->``, so that no figure in the documents is typed by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.common import ROOT

RESULTS = ROOT / "benchmarks" / "results"
DOCUMENTS = (ROOT / "README.md", ROOT / "solvers" / "sudoku" / "checkpoint" / "MODEL_CARD.md")
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
    command = f"`python -m benchmarks.{record['benchmark'].removesuffix('_more')}`"
    weights = f", weights {record['weights'][:12]}" if "weights" in record else ""
    return f"{command} on {record['device']}, {record['date']}, commit {record['commit']}{weights}."


def _sudoku(record: Record) -> str:
    lists = list(dict.fromkeys(row["list"] for row in record["rows"]))
    efforts = list(dict.fromkeys(row["effort"] for row in record["rows"]))
    cells = {(row["effort"], row["list"]): row for row in record["rows"]}
    sizes = {row["list"]: row["puzzles"] for row in record["rows"]}
    header = ["solved", *(f"{name} ({sizes[name]:,})" for name in lists)]
    body = [[effort, *(_solved(cells.get((effort, name))) for name in lists)] for effort in efforts]
    rates = [
        [f"{effort}, puzzles/s", *(_rate(cells.get((effort, name))) for name in lists)]
        for effort in efforts
    ]
    wrong = sum(row["wrong"] for row in record["rows"])
    return (
        f"{_markdown(header, [*body, *rates])}\n\nWrong answers called SOLVED, all rows: {wrong}."
    )


def _solved(row: Record | None) -> str:
    return row["solved"] if row else "not measured"


def _rate(row: Record | None) -> str:
    return f"{row['puzzles/s']:.3g}" if row else "not measured"


def _rows(record: Record) -> str:
    rows = record["rows"]
    return _markdown(list(rows[0]), [[_shown(value) for value in row.values()] for row in rows])


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES: dict[str, Callable[[Record], str]] = {
    "sudoku": _sudoku,
    "sudoku_more": _sudoku,
    "engine_cpu": _rows,
    "latency": _rows,
    "generator": _rows,
}


if __name__ == "__main__":
    main()
