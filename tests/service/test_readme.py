"""README.md: its lists of methods and commands are complete."""

import re
from pathlib import Path

import typer

from service.commands.app import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
TABLES = "\n".join(line for line in TEXT.splitlines() if line.startswith("| `"))


def test_every_method_of_the_contract_is_listed() -> None:
    protos = [
        path.read_text(encoding="utf-8") for path in (ROOT / "protos").glob("inkfill/**/*.proto")
    ]
    methods = {
        name for text in protos for name in re.findall(r"^  rpc (\w+)\(", text, re.MULTILINE)
    }
    assert len(methods) > 10
    assert {name for name in methods if not re.search(rf"\b{name}`", TABLES)} == set()


def test_every_command_is_listed() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {name for name in commands if not re.search(rf"[` ]{name}[` ]", TABLES)} == set()
