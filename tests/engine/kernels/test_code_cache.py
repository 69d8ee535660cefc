"""Compiled kernels are kept apart by what they are compiled from."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba import config, njit

from engine.kernels.code_cache import SOURCES, code_folder, keep_apart, sources_digest

CALLER = (
    "from numba import njit\nfrom kernels.callee import answer\n\n"
    "@njit(cache=True)\ndef ask():\n    return answer()\n"
)
CALLEE = "from numba import njit\n\n@njit(cache=True)\ndef answer():\n    return {}\n"
USE = (
    "from pathlib import Path; from engine.kernels.code_cache import code_folder, sources_digest; "
    "from numba import config; here = Path('kernels'); "
    "config.CACHE_DIR = str(code_folder(sources_digest(here.glob('*.py')), [Path('cache')])); "
    "from kernels.caller import ask; print(ask())"
)
WHERE = "from numba import config; import engine.kernels; print(config.CACHE_DIR)"


def python(program: str, folder: Path, **variables: str) -> str:
    """What a program prints in a fresh interpreter, run in ``folder`` with ``variables`` set."""
    kept = {k: v for k, v in os.environ.items() if k not in {"NUMBA_CACHE_DIR", "XDG_CACHE_HOME"}}
    paths = os.pathsep.join([str(folder), str(Path(__file__).parents[3])])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**kept, "PYTHONPATH": paths, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_kernel_is_compiled_anew_when_what_it_calls_in_another_file_changes(
    tmp_path: Path,
) -> None:
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "caller.py").write_text(CALLER)
    for answer in ("41", "42"):
        (kernels / "callee.py").write_text(CALLEE.format(answer))
        assert python(USE, tmp_path, NUMBA_CACHE_DIR="elsewhere") == answer


def test_every_file_counts_by_name_and_content(tmp_path: Path) -> None:
    def digest() -> str:
        return sources_digest(tmp_path.iterdir())

    digests = {digest()}
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.py", "2")):
        (tmp_path / name).write_text(text)
        digests.add(digest())
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    assert len(digests | {digest()}) == 5


def test_code_is_kept_in_the_users_cache_unless_the_user_names_a_folder(tmp_path: Path) -> None:
    found = Path(python(WHERE, tmp_path, XDG_CACHE_HOME=str(tmp_path)))
    assert found.parent == tmp_path / "inkfill"
    found = Path(python(WHERE, tmp_path, HOME=str(tmp_path), XDG_CACHE_HOME="not/absolute"))
    assert found.parent == tmp_path / ".cache" / "inkfill"
    assert python(WHERE, tmp_path, NUMBA_CACHE_DIR=str(tmp_path)) == str(tmp_path)


def test_a_place_that_cannot_be_written_to_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    closed, opened = tmp_path / "file", tmp_path / "open"
    assert code_folder("1", [closed, opened]) == opened / "kernels-1"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert code_folder("1", [closed]).parent == tmp_path


def test_code_that_is_kept_apart_has_a_folder_for_each_state_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    folders = set()
    for text in ("1", "2"):
        (tmp_path / "a.py").write_text(text)
        with keep_apart([tmp_path / "a.py"]):
            folders.add(Path(njit(cache=True)(python).stats.cache_path).parent)
        assert str(tmp_path) == config.CACHE_DIR
    assert len(folders) == 2
    assert {folder.parent for folder in folders} == {tmp_path}


@pytest.mark.parametrize("path", [path for path in SOURCES if path.parent.name == "kernels"])
def test_whatever_compiled_code_takes_from_a_file_of_ours_is_a_source(path: Path) -> None:
    tree, root = ast.parse(path.read_text()), Path(__file__).parents[3]
    origins = {
        alias.asname or alias.name: _file(root.joinpath(*node.module.split(".")), alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engine")
        for alias in node.names
    }
    compiled = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and _is_compiled(n)]
    used = {n.id for f in compiled for n in ast.walk(f) if isinstance(n, ast.Name)}
    assert {origins[name] for name in used & origins.keys()} <= set(SOURCES)


def _file(module: Path, name: str) -> Path:
    """Where a name imported from a module stands; it may be a module itself."""
    inner = module / f"{name}.py"
    return inner if inner.exists() else module.with_suffix(".py")


def _is_compiled(function: ast.FunctionDef) -> bool:
    """Whether numba compiles a function, or calls it with a builder to emit code."""
    takes_builder = any(argument.arg == "builder" for argument in function.args.args)
    return takes_builder or not {"njit", "intrinsic"}.isdisjoint(
        map(_name, function.decorator_list)
    )


def _name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""
