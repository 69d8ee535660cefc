"""The search behind the puzzle generator, compiled by numba.

It keeps a bit mask of candidates for each cell, takes naked and hidden singles until there are
none, and guesses in a cell with fewest candidates. N is the size of the grid, C = N * N its cells;
bit d - 1 of a mask is digit d.

Tables are unsigned and loops count, because numba then leaves out wraparound checks and reference
counts: twice as fast. The files of this package call each other and ``solvers.splitmix``, so their
code is kept under a digest of all of them.
"""

from pathlib import Path

from engine.kernels.code_cache import keep_apart
from solvers import splitmix

SOURCES = (*Path(__file__).parent.glob("*.py"), Path(splitmix.__file__))

with keep_apart(SOURCES):
    from solvers.sudoku.compiled.removal import fill
    from solvers.sudoku.compiled.search import count
    from solvers.sudoku.compiled.tables import Tables

__all__ = ["SOURCES", "Tables", "count", "fill"]
