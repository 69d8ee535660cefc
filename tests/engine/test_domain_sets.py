"""Sets that positions share say what a row of flags a position would say."""

from __future__ import annotations

import torch

from engine.domain_sets import DomainSets


def test_each_position_has_its_set_or_every_token() -> None:
    sets = torch.tensor([[True, False, False], [False, True, True], [False, False, False]])
    domain = DomainSets(sets, torch.tensor([[1, -1], [0, 1]], dtype=torch.int32))
    assert domain.dense().tolist() == [
        [[False, True, True], [True, True, True]],
        [[True, False, False], [False, True, True]],
    ]
    assert domain.allowed(domain.which[1]).tolist() == [[True, False, False], [False, True, True]]
