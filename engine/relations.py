"""Relations: which cells of a canvas see each other.

Knows boolean L x L matrices and how to attend under them quickly. Knows no puzzle.

Many relations that matter are partitions into equal classes ("same row", "same box"). For those
an attention head never needs the L x L scores: permute the cells so that classes are contiguous
and attend within each class, L / n times less work. The structure is found here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

BoolMatrix = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Relations:
    """Named relations of one canvas layout, shared by every canvas laid out that way.

    Attributes:
        matrices: name -> symmetric-or-not boolean matrix [L, L]; ``matrix[i, j]`` means that a
            head with this relation lets position i look at position j. The diagonal is implied.
        length: L.
    """

    length: int
    matrices: Mapping[str, BoolMatrix]

    def __post_init__(self) -> None:
        for name, matrix in self.matrices.items():
            if matrix.shape != (self.length, self.length):
                raise ValueError(
                    f"relation {name!r}: shape {matrix.shape}, expected "
                    f"({self.length}, {self.length})"
                )
            if matrix.dtype != np.bool_:
                raise ValueError(f"relation {name!r}: dtype {matrix.dtype}, expected bool")

    def mask(self, name: str) -> BoolMatrix:
        """The matrix with its diagonal set, [L, L]."""
        return self.matrices[name] | np.eye(self.length, dtype=np.bool_)

    @cached_property
    def partitions(self) -> Mapping[str, Cells]:
        """For each relation that is a partition into equal classes: its cells, [classes, size]."""
        found = {name: partition_of(matrix) for name, matrix in self.matrices.items()}
        return {name: cells for name, cells in found.items() if cells is not None}

    @property
    def are_partitions(self) -> bool:
        """Whether every relation is one; see ``partitions``."""
        return len(self.partitions) == len(self.matrices)


def partition_of(matrix: BoolMatrix) -> Cells | None:
    """The equal classes of an equivalence relation, ``int64 [classes, size]``, or None.

    The diagonal of ``matrix`` is taken as set. Classes are ordered by their smallest cell and
    cells ascend within a class.
    """
    closed = matrix | np.eye(len(matrix), dtype=np.bool_)
    sizes = closed.sum(axis=1)
    if (sizes != sizes[0]).any():
        return None
    first = closed.argmax(axis=1)  # smallest related cell: the class's name
    if not (closed == (first[:, None] == first[None, :])).all():
        return None
    order = np.argsort(first, kind="stable")
    return order.reshape(-1, int(sizes[0]))
