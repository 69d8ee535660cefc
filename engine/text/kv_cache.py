"""Keys and values of sequences, in pages: their tensors, and who holds which page.

Full-attention layers keep every position. Sliding layers keep the last window in a ring of pages
that a sequence goes round. Pages of one number belong together in all layers of a kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import LayerType, ModelConfig
from engine.kernels.segment_attention import PAGE


@dataclass(frozen=True)
class CacheSizes:
    """How many pages there are of each kind, and how they are handed out.

    Attributes:
        sequences: how many can be held at once.
        max_context: positions of a sequence at most.
        full_pages: of full-attention layers, shared by all sequences.
        ring_pages: of sliding layers, for each sequence; 0 where there are none.
    """

    sequences: int
    max_context: int
    full_pages: int
    ring_pages: int

    @classmethod
    def within(
        cls, config: ModelConfig, dtype: torch.dtype, memory: int, sequences: int, max_context: int
    ) -> CacheSizes:
        """As much as fits into ``memory`` bytes.

        Rings get at most half of it, but those of one sequence; full pages the rest, no more than
        ``sequences`` of ``max_context`` can use. Where even one such sequence does not fit,
        ``max_context`` shrinks.

        Raises:
            MemoryError: not one canvas fits after a prompt.
        """
        ring = _ring_pages(config, max_context)
        bytes_of = {kind: page_bytes(config, kind, dtype) for kind in config.layer_types}
        ring_bytes = ring * bytes_of.get("sliding_attention", 0)
        if ring_bytes:
            sequences = max(1, min(sequences, memory // 2 // ring_bytes))
        room = (memory - sequences * ring_bytes) // bytes_of["full_attention"]
        pages = _pages(config.canvas_length + 1)  # a canvas after a prompt
        if room < pages:
            left, least = max(0, memory), ring_bytes + pages * bytes_of["full_attention"]
            raise MemoryError(
                f"{left / 2**20:.0f} MiB are left for keys and values, and one sequence needs "
                f"{least / 2**20:.0f} MiB at the least"
            )
        context = min(max_context, room * PAGE)
        return cls(sequences, context, min(room, sequences * _pages(context)), ring)

    def bytes(self, config: ModelConfig, dtype: torch.dtype) -> int:
        """Of all pages."""
        full = self.full_pages * page_bytes(config, "full_attention", dtype)
        ring = self.sequences * self.ring_pages * page_bytes(config, "sliding_attention", dtype)
        return full + ring


@dataclass(frozen=True, eq=False)
class Lease:
    """The pages of one sequence, for each layer type."""

    pages: Mapping[LayerType, tuple[int, ...]]


class KVCache:
    """The pages of a model, and the free ones among them."""

    def __init__(
        self, config: ModelConfig, sizes: CacheSizes, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.sizes = sizes
        counts: dict[LayerType, int] = {
            "full_attention": sizes.full_pages,
            "sliding_attention": sizes.sequences * sizes.ring_pages,
        }
        # Zeros, because what a page held before must be finite: masked keys are multiplied by 0.
        self.layers: tuple[tuple[Tensor, Tensor], ...] = tuple(
            (
                torch.zeros(shape, dtype=dtype, device=device),
                torch.zeros(shape, dtype=dtype, device=device),
            )
            for layer in config.layers
            for shape in [
                (counts[layer.layer_type], PAGE, layer.num_key_value_heads, layer.head_dim)
            ]
        )
        self._counts = {kind: counts[kind] for kind in config.layer_types}
        self._free: dict[LayerType, list[int]] = {}
        self.clear()

    def needs(self, positions: int) -> dict[LayerType, int]:
        """Pages of a sequence of so many cached positions, by layer type."""
        wanted: dict[LayerType, int] = {
            "full_attention": _pages(positions),
            "sliding_attention": self.sizes.ring_pages,
        }
        return {kind: wanted[kind] for kind in self._counts}

    def has_room(self, positions: int) -> bool:
        """Whether a sequence of so many cached positions can be taken in now."""
        return all(count <= len(self._free[kind]) for kind, count in self.needs(positions).items())

    def lease(self, positions: int) -> Lease:
        """Hand out the pages of a sequence; see ``has_room``."""
        taken: dict[LayerType, tuple[int, ...]] = {}
        for kind, count in self.needs(positions).items():
            free = self._free[kind]
            taken[kind] = tuple(free[:count])
            del free[:count]
        return Lease(taken)

    def release(self, lease: Lease) -> None:
        """Take a sequence's pages back."""
        for kind, pages in lease.pages.items():
            self._free[kind] += pages

    def clear(self) -> None:
        """Take all pages back, whoever holds them."""
        self._free = {kind: list(range(count)) for kind, count in self._counts.items()}


def page_bytes(config: ModelConfig, kind: LayerType, dtype: torch.dtype) -> int:
    """Bytes of one page number of a kind, keys and values, in all its layers."""
    return sum(
        2 * PAGE * layer.num_key_value_heads * layer.head_dim * dtype.itemsize
        for layer in config.layers
        if layer.layer_type == kind
    )


def _pages(positions: int) -> int:
    return -(-positions // PAGE)


def _ring_pages(config: ModelConfig, max_context: int) -> int:
    """Pages that hold the window before any position, wherever in a page it begins."""
    if "sliding_attention" not in config.layer_types:
        return 0
    return min(_pages(config.sliding_window - 1) + 1, _pages(max_context))
