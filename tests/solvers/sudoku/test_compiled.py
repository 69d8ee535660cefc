"""The files of the compiled search, which call each other, are compiled anew together."""

from importlib import import_module
from pathlib import Path

from numba.core.dispatcher import Dispatcher

from engine.kernels.code_cache import sources_digest
from solvers.sudoku import compiled


def test_all_compiled_code_is_kept_under_a_digest_of_all_files() -> None:
    files = list(Path(compiled.__file__).parent.glob("*.py"))
    stems = {file.stem for file in files} - {"__init__"}
    modules = [import_module(f"{compiled.__name__}.{stem}") for stem in stems]
    kept = {
        Path(kernel.stats.cache_path).parent.name
        for module in modules
        for kernel in vars(module).values()
        if isinstance(kernel, Dispatcher) and kernel.__module__.startswith(compiled.__name__)
    }
    assert kept == {sources_digest(compiled.SOURCES)}
    used = {
        Path(kernel.py_func.__code__.co_filename)
        for module in modules
        for kernel in vars(module).values()
        if isinstance(kernel, Dispatcher)
    }
    assert used <= set(compiled.SOURCES)
