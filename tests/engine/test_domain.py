"""The sets of a domain, a bit a token."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain import ANYTHING, Domain


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 4),
    vocabulary=st.integers(1, 40),
    length=st.integers(1, 9),
)
def test_packing_changes_nothing(seed: int, rows: int, vocabulary: int, length: int) -> None:
    chooser = np.random.default_rng(seed)
    sets = chooser.random((rows, vocabulary)) < 0.5
    which = chooser.integers(ANYTHING, rows, length)
    domain = Domain.of_sets(sets, which)
    np.testing.assert_array_equal(domain.sets, sets)
    expected = np.array([sets[at] if at >= 0 else np.ones(vocabulary, bool) for at in which])
    np.testing.assert_array_equal(domain.mask(), expected)
    positions, tokens = chooser.integers(0, length, 20), chooser.integers(0, vocabulary, 20)
    np.testing.assert_array_equal(domain.allows(positions, tokens), expected[positions, tokens])


@pytest.mark.parametrize("vocabulary", [262_144, 9])
def test_a_set_waits_as_a_bit_a_token(vocabulary: int) -> None:
    domain = Domain.everywhere(np.ones(vocabulary, np.bool_), 256)
    assert domain.packed.nbytes == -(-vocabulary // 8)
