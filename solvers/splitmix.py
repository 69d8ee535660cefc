"""Random numbers for compiled code, from a state that its caller keeps.

Compiled code elsewhere calls these although numba's cache does not see changes in another file:
what is here is fixed by its source, and never changes.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def random_bits(state):
    """SplitMix64: advance ``state[0]``, uint64, and return 64 random bits (Steele et al. 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True)
def below(count, state):
    """A random integer from 0 to ``count`` - 1."""
    return np.int64(random_bits(state) % np.uint64(count))


@njit(cache=True)
def shuffled(count, state):
    """The integers from 0 to ``count`` - 1 in random order, int64 [count]."""
    order = np.arange(count)
    for i in range(count - 1, 0, -1):
        j = below(i + 1, state)
        order[i], order[j] = order[j], order[i]
    return order
