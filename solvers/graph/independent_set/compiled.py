"""The search behind ``branch_and_bound``, compiled by numba.

After San Segundo et al., "An exact bit-parallel algorithm for the maximum clique problem" (2011)
and "Infra-chromatic bound for exact maximum clique search" (2015), on the complement: what follows
speaks of cliques of *compatible* vertices, those that share no edge. n is the number of vertices,
W the 64-bit words that hold one bit for each.

At each depth the vertices that are left are packed into classes of which a clique takes at most
one vertex each: as many classes as may still be won without beating the best. The vertices that fit
into none are branched on.

All compiled code stands in this one file, because numba's cache does not see changes in another.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Words = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]


class State(NamedTuple):
    """Where the search stands.

    Attributes:
        compatible: uint64 [n, W], the vertices that share no edge with each, itself left out.
        left: uint64 [n + 1, W], candidates at each depth.
        branches: int64 [n + 1, n], which of them are branched on, the last first.
        waiting: int64 [n + 1], how many branches are left at each depth.
        chosen: int64 [n], the vertex branched on at each depth.
        classes: uint64 [n + 1, W], scratch: the classes of one bound.
        spent: bool [n + 1], scratch: classes that a conflict has used up.
        rest: uint64 [W], scratch: vertices in no class yet.
        fitting: uint64 [W], scratch: those that still fit into the class being filled.
        best: int64 [n], the largest set found.
        at: int64 [3], the depth, -1 when all is searched; the size that is to be beaten; that of
            the largest set found.
    """

    compatible: Words
    left: Words
    branches: Indices
    waiting: Indices
    chosen: Indices
    classes: Words
    spent: npt.NDArray[np.bool_]
    rest: Words
    fitting: Words
    best: Indices
    at: Indices


def _count_trailing_zeros(context, word):
    def codegen(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


#: The index of the lowest bit that is set, of a word that is not 0.
_trailing_zeros: Any = intrinsic(_count_trailing_zeros)


@njit(cache=True)
def _take(words, vertex):
    words[vertex >> 6] &= ~(np.uint64(1) << np.uint64(vertex & 63))


@njit(cache=True)
def _put(words, vertex):
    words[vertex >> 6] |= np.uint64(1) << np.uint64(vertex & 63)


@njit(cache=True)
def _first(words):
    """The lowest vertex of a set, -1 if there is none."""
    for w in range(len(words)):
        if words[w]:
            return 64 * w + _trailing_zeros(words[w])
    return -1


@njit(cache=True)
def _common(a, b):
    """How many vertices two sets share, counted up to 2, and the first of them."""
    first = -1
    for w in range(len(a)):
        both = a[w] & b[w]
        if both:
            if first >= 0 or both & (both - np.uint64(1)):
                return 2, first
            first = 64 * w + _trailing_zeros(both)
    return (0 if first < 0 else 1), first


@njit(cache=True)
def _meet(a, b, c):
    """Whether three sets share a vertex."""
    shared = np.uint64(0)
    for w in range(len(a)):
        shared |= a[w] & b[w] & c[w]
    return shared != 0


@njit(cache=True)
def _fill(state, rest, group):
    """Move vertices from ``rest`` into ``group``, no two of them compatible."""
    fitting = state.fitting
    for w in range(len(rest)):
        fitting[w] = rest[w]
        group[w] = np.uint64(0)
    for w in range(len(rest)):
        while fitting[w]:
            bit = _trailing_zeros(fitting[w])
            seen = state.compatible[64 * w + bit]
            group[w] |= np.uint64(1) << np.uint64(bit)
            fitting[w] &= fitting[w] - np.uint64(1)
            for later in range(w, len(rest)):
                fitting[later] &= ~seen[later]
        rest[w] &= ~group[w]


@njit(cache=True)
def _squeeze_in(state, vertex, count):
    """Whether a vertex fits into a class, if need be by moving one other to another class."""
    seen = state.compatible[vertex]
    for k in range(count):
        if state.spent[k]:
            continue
        shared, other = _common(seen, state.classes[k])
        if shared == 0:
            _put(state.classes[k], vertex)
            return True
        if shared > 1:
            continue
        for to in range(count):
            if to == k or state.spent[to]:
                continue
            if _common(state.compatible[other], state.classes[to])[0] == 0:
                _take(state.classes[k], other)
                _put(state.classes[to], other)
                _put(state.classes[k], vertex)
                return True
    return False


@njit(cache=True)
def _clash(state, vertex, one, other):
    """Whether no clique takes the vertex and one vertex of each of two classes."""
    seen = state.compatible[vertex]
    for w in range(len(seen)):
        word = seen[w] & state.classes[one, w]
        while word:
            middle = 64 * w + _trailing_zeros(word)
            if _meet(seen, state.compatible[middle], state.classes[other]):
                return False
            word &= word - np.uint64(1)
    return True


@njit(cache=True)
def _is_outweighed(state, vertex, count):
    """Whether two unspent classes and the vertex give two at most; they are spent on it then."""
    for one in range(count):
        if state.spent[one]:
            continue
        for other in range(one + 1, count):
            if not state.spent[other] and _clash(state, vertex, one, other):
                state.spent[one] = state.spent[other] = True
                return True
    return False


@njit(cache=True)
def bound(state, depth):
    """Find the vertices to branch on at a depth."""
    allowed = state.at[1] - depth
    rest = state.rest
    rest[:] = state.left[depth]
    count = 0
    while count < allowed and _first(rest) >= 0:
        _fill(state, rest, state.classes[count])
        state.spent[count] = False
        count += 1
    waiting = 0
    for w in range(len(rest)):
        word = rest[w]
        while word:
            vertex = 64 * w + _trailing_zeros(word)
            word &= word - np.uint64(1)
            if not _squeeze_in(state, vertex, count) and not _is_outweighed(state, vertex, count):
                state.branches[depth, waiting] = vertex
                waiting += 1
    state.waiting[depth] = waiting


@njit(cache=True)
def _branch(state, depth):
    """Take the last branch of a depth; the depth at which to go on."""
    state.waiting[depth] -= 1
    vertex = state.branches[depth, state.waiting[depth]]
    state.chosen[depth] = vertex
    _take(state.left[depth], vertex)
    if depth + 1 > state.at[1]:
        state.at[1] = state.at[2] = depth + 1
        state.best[: depth + 1] = state.chosen[: depth + 1]
    some = False
    for w in range(len(state.rest)):
        word = state.left[depth, w] & state.compatible[vertex, w]
        state.left[depth + 1, w] = word
        some |= word != 0
    if not some:
        return depth
    bound(state, depth + 1)
    return depth + 1


@njit(cache=True, nogil=True)
def search(state, target, nodes):
    """Go on for a number of nodes, or until all is searched or the target reached."""
    depth = state.at[0]
    while depth >= 0 and nodes > 0 and state.at[1] < target:
        if state.waiting[depth] == 0:
            depth -= 1
        else:
            depth = _branch(state, depth)
            nodes -= 1
    state.at[0] = depth
