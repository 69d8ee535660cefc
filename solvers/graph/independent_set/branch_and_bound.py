"""Largest independent sets by branch and bound: proofs within a second on dense graphs.

The compiled search stops after a number of nodes and goes on where it stood, so that the time can
be looked at. With 200 vertices it is done in milliseconds where every other pair shares an edge,
and hardly ever where one pair in twenty does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.deadline import deadline
from solvers.graph.graph import Adjacency
from solvers.graph.independent_set import compiled
from solvers.graph.independent_set.compiled import Indices, State, Words
from solvers.graph.independent_set.problem import IndependentSet
from solvers.stop import Stop

#: Nodes between two looks at the time: from a millisecond to a tenth of a second.
_SLICE = 500


@dataclass(frozen=True, eq=False)
class BranchAndBound:
    """A search for the largest independent set that can be gone on with.

    Attributes:
        order: int64 [n], the vertices in the order in which the search numbers them.
        state: where it stands.
    """

    order: Indices
    state: State

    @classmethod
    def begin(cls, adjacency: Adjacency, above: int) -> BranchAndBound:
        """Prepare a search for sets of more than ``above`` vertices; bool [n, n], symmetric."""
        order = _order(adjacency)
        return cls(order, _begin(~adjacency[np.ix_(order, order)], above))

    def go_on(self, target: int, limit_s: float, stop: Stop | None = None) -> None:
        """Search until all is searched. Blocks, mostly without holding the GIL.

        Args:
            target: a set so large ends the search at once.
            limit_s: seconds of search.
            stop: ends the search from another thread.
        """
        at = self.state.at
        with deadline(limit_s, stop) as over:
            while at[0] >= 0 and at[1] < target and not over():
                compiled.search(self.state, target, _SLICE)

    def raise_to(self, above: int) -> None:
        """Look only for sets of more than ``above`` vertices from now on."""
        self.state.at[1] = max(self.state.at[1], above)

    @property
    def bound(self) -> int:
        """No set has more vertices: n unless all is searched."""
        return len(self.order) if self.state.at[0] >= 0 else int(self.state.at[1])

    @property
    def found(self) -> IndependentSet:
        """The largest set found, empty if none is larger than ``above``."""
        return tuple(sorted(self.order[self.state.best[: self.state.at[2]]].tolist()))


def _order(adjacency: Adjacency) -> Indices:
    """Vertices of a dense core first: the last is compatible with fewest, and so on before it."""
    compatible = ~adjacency
    np.fill_diagonal(compatible, False)
    degree = compatible.sum(1)
    order: list[int] = []
    for _ in range(len(degree)):
        vertex = int(np.argmin(degree))
        order.append(vertex)
        degree -= compatible[vertex]
        degree[vertex] = np.iinfo(degree.dtype).max // 2
    return np.array(order[::-1], np.int64)


def _begin(compatible: Adjacency, above: int) -> State:
    n = len(compatible)
    bits = compatible & ~np.eye(n, dtype=np.bool_)
    words = max(1, -(-n // 64))
    state = State(
        compatible=_pack(bits, words),
        left=np.zeros((n + 1, words), np.uint64),
        branches=np.zeros((n + 1, n), np.int64),
        waiting=np.zeros(n + 1, np.int64),
        chosen=np.zeros(n, np.int64),
        classes=np.zeros((n + 1, words), np.uint64),
        spent=np.zeros(n + 1, np.bool_),
        rest=np.zeros(words, np.uint64),
        fitting=np.zeros(words, np.uint64),
        best=np.zeros(n, np.int64),
        at=np.array([0, above, 0], np.int64),
    )
    state.left[0] = _pack(np.ones((1, n), np.bool_), words)[0]
    compiled.bound(state, 0)
    return state


def _pack(rows: Adjacency, words: int) -> Words:
    """Bool [m, n] -> uint64 [m, words], bit b of word w being column 64 w + b."""
    padded = np.zeros((len(rows), 64 * words), np.bool_)
    padded[:, : rows.shape[1]] = rows
    packed = np.packbits(padded, axis=1, bitorder="little").view("<u8")
    return np.ascontiguousarray(packed, np.uint64)
