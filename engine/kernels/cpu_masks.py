"""Domains as bit masks: bit v of a position's uint64 says whether it may take token v."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import extending, njit, types

Masks = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

#: Tokens that a mask has room for.
MAX_TOKENS = 64

NONE, ONE = np.uint64(0), np.uint64(1)

#: numba's own annotation shows an intrinsic's compile-time arguments, not those of a call.
_intrinsic: Any = extending.intrinsic


@_intrinsic
def count_bits(context, mask):
    """How many tokens a mask has: int64."""

    def codegen(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), codegen


@_intrinsic
def first_bit(context, mask):
    """The lowest token of a mask that has one: int64."""

    def codegen(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.uint64), codegen


@njit(cache=True, nogil=True)
def is_single(mask):
    """Whether at most one token is left."""
    return mask & (mask - ONE) == NONE


@njit(cache=True, nogil=True)
def pack(domain, masks):
    """Bool [B, L, V] -> uint64 [B, L]."""
    for b in range(domain.shape[0]):
        for at in range(domain.shape[1]):
            mask = NONE
            for v in range(domain.shape[2]):
                mask |= np.uint64(domain[b, at, v]) << np.uint64(v)
            masks[b, at] = mask


@njit(cache=True, nogil=True)
def unpack(masks, domain):
    """uint64 [B, L] -> bool [B, L, V]."""
    for b in range(domain.shape[0]):
        for at in range(domain.shape[1]):
            for v in range(domain.shape[2]):
                domain[b, at, v] = (masks[b, at] >> np.uint64(v)) & ONE != NONE
