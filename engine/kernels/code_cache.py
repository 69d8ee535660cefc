"""Where compiled kernels are kept between runs: a folder of their own for each state of the source.

numba's cache compares a function with the file that it stands in, and does not see that a function
which it calls or inlines has changed in another: after an update old code would run on, silently.
So the folder's name is a digest of all files that kernels are made of, and a changed file starts an
empty one. A folder that the user names (``NUMBA_CACHE_DIR``) is taken as it is, and theirs to
empty.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba import config

_HERE = Path(__file__).parent
#: What is compiled, and what it takes constants from, which become part of the code.
SOURCES = (
    *_HERE.glob("*.py"),
    *(_HERE.parent / "constraints").glob("*.py"),
    _HERE.parent / "guidance.py",
)


def use_code_cache() -> None:
    """Point numba at the folder for these kernels, unless the user has named one.

    To be called before a kernel is defined, which is when numba looks up where its code goes.
    """
    settings: Any = config  # numba sets its attributes from a table, which no checker sees
    if not settings.CACHE_DIR:
        places = (user_cache() / "inkfill", _HERE / "__pycache__")
        settings.CACHE_DIR = str(code_folder(sources_digest(SOURCES), places))


@contextmanager
def keep_apart(files: Iterable[Path]) -> Iterator[None]:
    """Keep the code of what is defined in the block apart for each state of these files too.

    For code that is not of these kernels, yet calls from file to file.
    """
    settings: Any = config  # as above
    outer = settings.CACHE_DIR
    settings.CACHE_DIR = str(Path(outer) / sources_digest(files))
    try:
        yield
    finally:
        settings.CACHE_DIR = outer


def user_cache() -> Path:
    """Where programs of this user keep what can be made again.

    From the XDG base directory specification (https://specifications.freedesktop.org/basedir),
    which has relative paths ignored.
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    return Path(named) if os.path.isabs(named) else Path(os.path.expanduser("~")) / ".cache"


def sources_digest(files: Iterable[Path]) -> str:
    """16 hexadecimal digits that change with the name or content of any of the files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def code_folder(digest: str, places: Sequence[Path]) -> Path:
    """A folder for the code of these sources in the first place that can be written to.

    Where none can, as in a read-only container, it is a temporary one that ends with the process:
    numba refuses to define a kernel that it cannot keep.
    """
    for place in places:
        folder = place / f"kernels-{digest}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    folder = Path(tempfile.mkdtemp(prefix="inkfill-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
