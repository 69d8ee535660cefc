"""The tables of what is measured of text models on a GPU."""

from __future__ import annotations

from typing import Any

from benchmarks.markdown import figure, markdown
from benchmarks.step_rows import COMPILED

Record = dict[str, Any]
_MISSING = "not measured"


def step_time(record: Record) -> str:
    """A batch of a side and precision a line, beside transformers compiled, of the same batch."""
    rows = record["rows"]
    theirs = {row["batch"]: row["ms/step"] for row in rows if row["side"] == COMPILED}
    order = list(dict.fromkeys((row["side"], row["precision"]) for row in rows))
    rows = sorted(rows, key=lambda x: (order.index((x["side"], x["precision"])), x["batch"]))
    header = [
        "", "precision", "canvases", "ms a step", "tokens/s", "floor: memory, ms",
        "floor: arithmetic, ms", "of the floor's speed", "times transformers compiled", "peak, GB",
    ]  # fmt: skip
    ceilings = (
        f"Ceilings in the same run: {record['bandwidth'] / 1e12:.2f} TB/s, "
        f"{record['arithmetic'] / 1e12:.0f} bfloat16 TFLOP/s."
    )
    size = "" if record["size"] == "full" else f" Model of size {record['size']}."
    lines = [_step_line(row, theirs.get(row["batch"])) for row in rows]
    notes = [_note(row) for row in rows if row["note"]]
    return "\n\n".join([markdown(header, lines), f"{ceilings}{size}", *notes])


def _step_line(row: Record, theirs: float | None) -> list[str]:
    step = row["ms/step"]
    start = [row["side"], row["precision"], str(row["batch"])]
    floors = [figure(row["memory ms"]), figure(row["arithmetic ms"])]
    if not step:
        return [*start, _MISSING, _MISSING, *floors, "", "", ""]
    return [
        *start,
        figure(step),
        figure(row["tok/s"]) if row["tok/s"] else _MISSING,
        *floors,
        f"{row['of floor']:.0%}",
        f"{theirs / step:.2f}" if theirs else "",
        figure(row["peak GB"]) if row["peak GB"] else "",
    ]


def _note(row: Record) -> str:
    return f"{row['side']}, {row['precision']}, {row['batch']}: {row['note']}"


def memory(record: Record) -> str:
    """A precision a line, in GB."""
    columns = ("weights", "cache", "peak", "reserved", "loading")
    header = ["precision", *(f"{name}, GB" for name in columns), "by"]
    lines = [
        [row["precision"], *(figure(row[x]) if row[x] else "" for x in columns), row["by"]]
        for row in record["rows"]
    ]
    notes = [f"{row['precision']}: {row['note']}" for row in record["rows"] if row["note"]]
    prompt = f"A prompt of {record['prompt']:,} tokens and one canvas."
    return "\n\n".join([markdown(header, lines), prompt, *notes])


def gpu_kernels(record: Record) -> str:
    """A kernel a line."""
    rows = record["rows"]
    return markdown(list(rows[0]), [[figure(value) for value in row.values()] for row in rows])
