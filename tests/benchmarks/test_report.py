"""The documents' tables can be made of the results that are committed."""

from __future__ import annotations

import pytest

from benchmarks.common import RESULTS
from benchmarks.report import DOCUMENTS, NOT_MEASURED, TABLES, _content, _engine_cpu

MEASURED = {name: x for name, x in TABLES.items() if (RESULTS / f"{x[0]}.json").exists()}


@pytest.mark.parametrize("name", MEASURED)
def test_a_table_is_made_of_its_results(name: str) -> None:
    benchmark, table = MEASURED[name]
    said = _content(RESULTS / f"{benchmark}.json", table)
    assert said != NOT_MEASURED
    assert "`python -m benchmarks." in said


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_a_place_in_a_document(name: str) -> None:
    texts = [document.read_text(encoding="utf-8") for document in DOCUMENTS]
    assert any(f"<!-- {name} -->" in text and f"<!-- /{name} -->" in text for text in texts)


def test_a_floor_stands_beside_a_step_where_it_was_measured() -> None:
    row = {"checkpoint": "sudoku", "batch": 1, "threads": 1, "transformers": 4.0, "step": 1.0}
    row |= {"step x": 4.0}
    assert "floor" not in _engine_cpu({"rows": [row]})
    assert "| floor x, 1 thread |" in _engine_cpu({"rows": [row | {"floor x": 50.0}]})
