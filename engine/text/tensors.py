"""The tensors of nested frozen dataclasses: what must be copied for a graph to be replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

V = TypeVar("V")
#: Elements that one program of PyTorch's joint copy takes by itself, slower than a copy alone.
_LARGE = 65_536


def tensors_of(value: object) -> Iterator[Tensor]:
    """All tensors of a dataclass of tensors, mappings of them, and dataclasses, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_of(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from tensors_of(getattr(value, field.name))


def map_tensors(value: V, change: Callable[[Tensor], Tensor]) -> V:
    """The same structure with every tensor changed."""
    changed: Any = value
    if isinstance(value, Tensor):
        changed = change(value)
    elif isinstance(value, Mapping):
        changed = {key: map_tensors(item, change) for key, item in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: map_tensors(getattr(value, f.name), change) for f in fields(value)}
        changed = replace(value, **parts)
    result: V = changed
    return result


def copy_tensors(source: object, target: object) -> None:
    """Copy every tensor of ``source`` into that of ``target``, which has the same structure."""
    by_dtype: dict[tuple[torch.dtype, torch.dtype], tuple[list[Tensor], list[Tensor]]] = {}
    for old, new in zip(tensors_of(target), tensors_of(source), strict=True):
        if old is new:
            continue
        if old.numel() > _LARGE:
            old.copy_(new)
        else:
            olds, news = by_dtype.setdefault((old.dtype, new.dtype), ([], []))
            olds.append(old)
            news.append(new)
    for olds, news in by_dtype.values():
        # One launch for all, which PyTorch makes only where they are of one dtype.
        torch._foreach_copy_(olds, news)
