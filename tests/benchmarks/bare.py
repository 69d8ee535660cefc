"""Programs in an interpreter that has few packages, as on a machine that only has torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What Inkfill needs to serve, and torch and NumPy do not.
ABSENT = (
    "google",
    "grpc",
    "huggingface_hub",
    "jinja2",
    "llvmlite",
    "networkx",
    "numba",
    "ortools",
    "pydantic",
    "pydantic_settings",
    "rich",
    "safetensors",
    "structlog",
    "tokenizers",
    "transformers",
    "typer",
)
_HIDE = f"""
from importlib.machinery import PathFinder

find = PathFinder.find_spec


def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in {ABSENT!r} else find(name, path, target)


PathFinder.find_spec = find_spec
"""


def run_bare(
    folder: Path, *arguments: str, out: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python from the checkout, as though the packages were not installed.

    Args:
        folder: for what hides them, from this interpreter and from those that it starts.
        arguments: of Python.
        out: where results go.
    """
    (folder / "sitecustomize.py").write_text(_HIDE)
    paths = os.pathsep.join(map(str, (folder, ROOT, ROOT / "protos")))
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "OUT": str(out or folder),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
