"""What the pages say of graphs is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.limits import EngineLimits
from solvers.graph.coloring.solver import ColoringSolver
from solvers.graph.hamiltonian.solver import HamiltonianSolver
from solvers.graph.independent_set.solver import IndependentSetSolver
from tests.service.command_line import inkfill, serving
from tests.service.graphs import random_checkpoints

DOCS = Path(__file__).parents[2] / "docs"
PETERSEN = str(DOCS / "petersen.col")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with Engine(random_checkpoints(), EngineLimits(max_batch=8, max_queue=64)) as engine:
        yield from serving(engine)


@pytest.mark.parametrize("page", ["README.md", "docs/graphs.md"])
def test_the_commands_of_a_page_answer(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    text = (DOCS.parent / page).read_text(encoding="utf-8")
    commands = re.findall(r"^inkfill ((?:color|independent-set|hamiltonian) .*)$", text, re.M)
    assert len(commands) == 3
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "petersen.col").write_text(Path(PETERSEN).read_text())
    monkeypatch.chdir(tmp_path)
    for command in commands:
        result = inkfill(*command.split(), "--server", address)
        assert result.exit_code == 0, result.stderr
    assert len(list(tmp_path.glob("*.svg"))) == 1


def test_the_page_tells_the_defaults_of_the_solvers() -> None:
    text = " ".join((DOCS / "graphs.md").read_text(encoding="utf-8").split())
    for solver in (ColoringSolver(), HamiltonianSolver(), IndependentSetSolver()):
        unguided, guided = solver.unguided_steps, solver.guided_steps
        assert f"at most {unguided} denoising steps unguided and {guided} guided" in text
        assert f"and {solver.last_steps} where nothing follows" in text
        assert f"{solver.default_candidates} candidates under each kind of guidance" in text
