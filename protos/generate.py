"""Generates the Python stubs beside the .proto files: ``python protos/generate.py``.

Equal to ``python -m grpc_tools.protoc -I protos -I SITE_PACKAGES --python_out=protos
--pyi_out=protos --grpc_python_out=protos protos/inkfill/v1/*.proto``, where SITE_PACKAGES holds
``google/rpc/status.proto`` of googleapis-common-protos.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import google.rpc
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent


def generate(out: Path) -> None:
    """Write the stubs of every .proto below this folder to ``out``.

    Raises:
        RuntimeError: protoc refused a file; its reasons are on standard error.
    """
    sources = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.proto"))
    includes = [str(ROOT), str(files("grpc_tools") / "_proto"), _googleapis()]
    status = protoc.main(
        [
            "protoc",
            *(f"-I{include}" for include in includes),
            f"--python_out={out}",
            f"--pyi_out={out}",
            f"--grpc_python_out={out}",
            *sources,
        ]
    )
    if status != 0:
        raise RuntimeError(f"protoc ended with status {status}")


def _googleapis() -> str:
    """The folder that holds google/rpc/*.proto."""
    return str(Path(next(iter(google.rpc.__path__))).parents[1])


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
