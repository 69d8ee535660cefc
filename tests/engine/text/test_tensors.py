"""Nested tensors are mapped and copied as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from engine.text.tensors import copy_tensors, map_tensors


@dataclass(frozen=True, eq=False)
class Inner:
    flags: Tensor
    by_name: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Outer:
    numbers: Tensor
    inner: Inner
    missing: Tensor | None = None


def nested(value: int) -> Outer:
    return Outer(
        torch.full((2, 3), value),
        Inner(
            torch.full((4,), bool(value)),
            {"a": torch.full((2,), value), "b": torch.full((3,), float(value))},
        ),
    )


def test_every_tensor_is_copied_with_as_few_launches_as_there_are_dtypes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = torch._foreach_copy_
    launched: list[tuple[set[torch.dtype], int]] = []

    def counted(target: list[Tensor], source: list[Tensor]) -> None:
        launched.append(({x.dtype for x in (*target, *source)}, len(target)))
        copy(target, source)

    monkeypatch.setattr(torch, "_foreach_copy_", counted)
    source, target = nested(1), nested(0)
    copy_tensors(source, target)
    assert target.numbers.eq(1).all()
    assert target.inner.flags.all()
    assert target.inner.by_name["a"].eq(1).all()
    assert target.inner.by_name["b"].eq(1).all()
    assert launched == [({torch.int64}, 2), ({torch.bool}, 1), ({torch.float32}, 1)]


def test_what_is_the_same_tensor_on_both_sides_is_not_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(torch, "_foreach_copy_", refused)
    state = nested(1)
    copy_tensors(state, state)


def test_structures_of_different_sizes_are_not_copied_in_part() -> None:
    with pytest.raises(ValueError, match="zip"):
        copy_tensors(nested(1), nested(0).inner)


def test_a_mapped_structure_shares_nothing_and_keeps_what_is_no_tensor() -> None:
    source = nested(1)
    made = map_tensors(source, torch.clone)
    assert made.missing is None
    source.inner.by_name["a"].zero_()
    assert made.inner.by_name["a"].eq(1).all()
