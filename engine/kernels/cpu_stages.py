"""Stages of work that several threads do together, in compiled code.

A stage has parts, each done by whoever takes it first; nobody enters a stage before all parts of
the one before are done. A thread that comes late finds its parts taken and goes on to where the
others are, so that no stage waits for a thread that has not begun.

Stages are an int64 array [stages, parts + 1, 8], zeros to begin with: for each part whether it is
taken, then how many are done, each in a cache line of its own.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types

from engine.kernels.cpu_layout import Ints
from engine.kernels.simd import intrinsic, pointer

#: Elements of a cache line.
_LINE = 8
#: Looks at a counter between two offers of the core to other threads.
_PATIENCE = 2000
_I64 = ir.IntType(64)


def new_stages(stages: int, parts: int) -> Ints:
    """Nothing taken, nothing done."""
    return np.zeros((stages, parts + 1, _LINE), np.int64)


@njit(cache=True, nogil=True)
def take(stages, stage, part):
    """Whether the part is the caller's to do; it is nobody else's then."""
    return _exchange(stages.ravel(), (stage * stages.shape[1] + part) * _LINE) == 0


@njit(cache=True, nogil=True)
def finish(stages, stage):
    """Say that a part is done, and all that was written for it."""
    _increment(stages.ravel(), _done_at(stages, stage))


@njit(cache=True, nogil=True)
def await_all(stages, stage):
    """Return when all parts are done, and see what was written for them."""
    flat, at, parts = stages.ravel(), _done_at(stages, stage), stages.shape[1] - 1
    looks = 0
    while _look(flat, at) < parts:
        looks += 1
        if looks % _PATIENCE == 0:
            _offer_core()


@njit(cache=True, nogil=True)
def _done_at(stages, stage):
    return (stage * stages.shape[1] + stages.shape[1] - 1) * _LINE


def _atomic(emit: Any) -> Any:
    """A numba function of an element of a flat int64 array that emits one instruction."""

    @intrinsic
    def function(context, array, at):
        def codegen(context, builder, signature, arguments):
            return emit(builder, pointer(context, builder, signature.args[0], *arguments))

        return types.int64(array, types.intp), codegen

    return function


#: The element, which becomes 1.
_exchange = _atomic(lambda builder, at: builder.atomic_rmw("xchg", at, _I64(1), "acq_rel"))
#: The element, which becomes one more.
_increment = _atomic(lambda builder, at: builder.atomic_rmw("add", at, _I64(1), "acq_rel"))
#: The element.
_look = _atomic(lambda builder, at: builder.load_atomic(at, "acquire", 8))

if hasattr(os, "sched_yield"):
    _yield = types.ExternalFunction("sched_yield", types.int32())

    @njit(cache=True, nogil=True)
    def _offer_core():
        _yield()

else:  # the system takes the core away by itself

    @njit(cache=True, nogil=True)
    def _offer_core():
        pass
