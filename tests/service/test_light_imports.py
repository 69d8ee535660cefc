"""What only asks a server loads nothing that it takes to be one."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from service.server import Server
from service.texts import TextModels
from tests.service.fakes import GRAPHS, PUZZLE, SUDOKU, WRITER, FakeEngine
from tests.service.strings import writer

HEAVY = {
    "numba",
    "ortools",
    "pandas",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "triton",
}
GRAPH = str(Path(__file__).parents[2] / "docs" / "petersen.col")
RUN_CLI = (
    "from service.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n    code = end.code"
)


async def loads(program: str, *arguments: str) -> tuple[set[str], object]:
    """Run a program in a fresh interpreter: the heavy modules there afterwards, and ``code``."""
    report = "import sys\nprint(*sys.modules, file=sys.stderr)\nsys.exit(locals().get('code', 0))"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"{program}\n{report}", *arguments),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    modules = set(said.decode().splitlines()[-1].split())
    assert "service" in modules, said.decode()
    return modules & HEAVY, process.returncode


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(infos=(SUDOKU, *GRAPHS, WRITER))


@pytest.fixture
def texts() -> TextModels:
    return {"writer": writer()}


async def test_the_client_is_imported_without_the_engine() -> None:
    assert await loads("import service.client") == (set(), 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["serve", "--help"],
        ["quantize", "--help"],
        ["train", "sudoku", "--help"],
        ["train", "graph", "--help"],
        ["color", "--help"],
        ["generate", "--help"],
        ["generate", "x"],
        ["sudoku", "1"],
        ["color", "no-such-file"],
        ["hamiltonian", GRAPH, "--start", "11"],
    ],
)
async def test_help_and_complaints_come_without_the_engine(arguments: list[str]) -> None:
    asks_for_help = "--help" in arguments
    assert await loads(RUN_CLI, *arguments) == (set(), 0 if asks_for_help else 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["sudoku", PUZZLE],
        ["sudoku", "--watch", PUZZLE],
        ["models"],
        ["generate", "x", "--raw"],
        ["generate", "x", "--raw", "--watch"],
        ["color", GRAPH, "--svg"],
        ["independent-set", GRAPH, "--watch", "--svg"],
        ["hamiltonian", GRAPH, "--watch", "--svg"],
    ],
)
async def test_a_server_elsewhere_is_asked_without_an_engine_here(
    server: Server, arguments: list[str], tmp_path: Path
) -> None:
    if arguments[-1] == "--svg":
        arguments = [*arguments, str(tmp_path / "graph.svg")]
    assert await loads(RUN_CLI, *arguments, "--server", server.address) == (set(), 0)
