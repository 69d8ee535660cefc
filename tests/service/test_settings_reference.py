"""docs/settings.md against the settings themselves."""

import re
from inspect import signature
from pathlib import Path
from typing import get_args

import pytest

from service.commands.serve import serve
from service.settings import Settings, load_settings

TEXT = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
ROWS = {
    row[0].strip("`"): [cell.strip("`") for cell in row[1:]]
    for row in (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TEXT.splitlines()
        if line.startswith("| `")
    )
}
FLAGS = {"models": "model"}


def test_every_setting_has_its_line_in_order() -> None:
    assert list(ROWS) == list(Settings.model_fields)
    assert all(row[-1] for row in ROWS.values())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_line_says_what_the_setting_is(name: str) -> None:
    flag, variable, default, accepted, _ = ROWS[name]
    field = Settings.model_fields[name]
    given = FLAGS.get(name, name)
    assert flag == (f"--{given.replace('_', '-')}" if given in signature(serve).parameters else "")
    assert variable == f"INKFILL_{name.upper()}"
    if field.default not in (None, ()):
        assert default == str(field.default)
    bounds = [
        str(bound)
        for rule in field.metadata
        for bound in (getattr(rule, "ge", None), getattr(rule, "le", None))
        if bound is not None
    ]
    if bounds:
        assert accepted == " to ".join(bounds)
    if name in {"log_level", "log_format"}:
        assert re.findall(r"\w+", accepted) == list(get_args(field.annotation))


def test_the_file_that_is_shown_can_be_read(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "inkfill.toml"
    path.write_text(shown)
    assert load_settings(path).max_queue == 256
