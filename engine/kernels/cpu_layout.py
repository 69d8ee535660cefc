"""Where everything lies: the records that the CPU kernels are told their sizes by.

A model's weights are one flat array and a thread's activations another; a record holds offsets
into them, and sizes, so that one compilation serves every model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from engine.attention import AttentionPlan, HeadGroup
from engine.config import LayerType
from engine.kernels.cpu_gemm import Floats, padded
from engine.kernels.simd import LANES

Ints = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]


def _record(integers: str, floats: str = "") -> np.dtype[np.void]:
    fields = [(name, np.int64) for name in integers.split()]
    return np.dtype(fields + [(name, np.float32) for name in floats.split()])


#: What a model is: sizes, and where its weights begin. ``stride`` is the hidden size in whole
#: panels; ``measure_width`` the width of the matrix that gives the length of a soft embedding.
MODEL = _record(
    "size stride vocabulary vocabulary_stride layers embedding_at "
    "fresh_at fresh_projected_at clamped_at clamped_projected_at "
    "measure_at measure_width gate_at inner_width down_at head_at",
    "eps cap",
)
#: One layer. ``width`` is a head's size in whole vectors; a row of its projection holds queries,
#: from ``keys_from`` on keys, from ``values_from`` on values; ``units`` counts key and value heads.
LAYER = _record(
    "size width heads kv_heads units projected_stride keys_from values_from "
    "heads_stride query_at key_at query_norm_at output_at attention_norm_at "
    "gate_at dense_width expert_width dense_down_at expert_down_at feedforward_norms_at "
    "first_group last_group"
)
#: Adjacent heads that attend alike: ``classes`` rows of ``size`` cells, each row of the index
#: padded to ``stride``; ``mask`` is the number of the mask that they obey, -1 for none.
GROUP = _record("first_head last_head classes size stride cells_at mask")
#: Where a thread keeps what: float32 offsets.
BUFFERS = _record(
    "residual normed belief measured inner projected queries scores sums heads dense expert"
)


class Arena:
    """Appends arrays to one flat float32 array, each at a multiple of 16 elements."""

    def __init__(self) -> None:
        self._parts: list[Floats] = []
        self._length = 0

    def add(self, values: Floats) -> int:
        """Append and return where the values begin."""
        at, flat = self._length, np.ascontiguousarray(values, np.float32).ravel()
        rest = np.zeros(padded(flat.size, LANES) - flat.size, np.float32)
        self._parts += [flat, rest]
        self._length += flat.size + rest.size
        return at

    def finish(self) -> Floats:
        """Everything, on a cache line."""
        flat = aligned(self._length)
        flat[:] = np.concatenate(self._parts)
        return flat


def aligned(length: int) -> Floats:
    """Zeros that begin on a cache line, so that no vector of a panel crosses one."""
    raw = np.zeros(length + LANES, np.float32)
    skip = -(raw.ctypes.data // raw.itemsize) % LANES
    return raw[skip : skip + length]


@dataclass(frozen=True, eq=False)
class HeadLayout:
    """A plan as the kernels read it.

    Attributes:
        length: L.
        groups: of all layer types, ``GROUP`` records.
        index: the cells of the groups' classes; padding repeats a class's last cell.
        spans: for each layer type, its first and last group.
        masks: bool [B or 1, M, L keys, L queries in whole vectors], whether a query sees a key.
            As bytes, because a batch whose members change is laid out anew.
    """

    length: int
    groups: Records
    index: Ints
    spans: dict[LayerType, tuple[int, int]]
    masks: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, plan: AttentionPlan, length: int) -> HeadLayout:
        """Lay a plan out for canvases of ``length`` cells.

        Raises:
            ValueError: a group is for another length, or sees a prompt.
        """
        groups: list[tuple[int, ...]] = []
        masks = _Masks(length)
        cells: list[Ints] = []
        spans: dict[LayerType, tuple[int, int]] = {}
        at = 0
        for kind, members in plan.items():
            spans[kind] = (len(groups), len(groups) + len(members))
            for group in members:
                classes = _classes(group, length)
                count, size = classes.shape
                stride = padded(size, LANES)
                groups.append(
                    (
                        group.heads.start,
                        group.heads.stop,
                        count,
                        size,
                        stride,
                        at,
                        masks.number(group.mask),
                    ),
                )
                cells.append(np.pad(classes, ((0, 0), (0, stride - size)), mode="edge").ravel())
                at += count * stride
        return cls(length, np.array(groups, GROUP), np.concatenate(cells), spans, masks.stacked())


class _Masks:
    """The different masks of a plan, in the order in which they are met."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._met: list[Tensor] = []

    def number(self, mask: Tensor | None) -> int:
        """Which of them a group has, -1 for none."""
        if mask is None:
            return -1
        if mask.shape[-1] != self._length:
            raise ValueError(
                f"the mask is for {mask.shape[-1]} positions, got canvases of {self._length}"
            )
        for number, known in enumerate(self._met):
            if known is mask:
                return number
        self._met.append(mask)
        return len(self._met) - 1

    def stacked(self) -> npt.NDArray[np.bool_]:
        """See ``HeadLayout.masks``."""
        length = self._length
        batch = max((len(mask) for mask in self._met), default=1)
        shape = (batch, len(self._met), length, padded(length, LANES))
        masks = np.zeros(shape, np.bool_)
        for number, mask in enumerate(self._met):
            seen = mask[:, 0].expand(-1, length, -1).transpose(1, 2)
            masks[:, number, :, :length] = seen.numpy()
        return masks


def _classes(group: HeadGroup, length: int) -> Ints:
    """Who attends to whom, as far as there is no mask: int64 [classes, size]."""
    if group.cells is None:
        return np.arange(length)[None]
    if group.cells.numel() != length:
        raise ValueError(
            f"the plan is for {group.cells.numel()} positions, got canvases of {length}"
        )
    return group.cells.numpy()


def plan_buffers(
    model: np.void, layers: Records, length: int, canvases: int
) -> tuple[Records, int]:
    """Place the activations of canvases of ``length`` cells in scratch.

    What lasts from layer to layer each canvas has for itself, the rest they share.

    Returns:
        ``BUFFERS`` records, one a canvas, and how many elements the scratch must have.
    """
    rows = padded(length, LANES)  # lengths of rows are taken of sixteen at once
    sizes = _of_rows(model, layers, rows) | _of_queries(layers, rows)
    lasting = {name: sizes.pop(name) for name in ("residual", "normed")}
    records = np.zeros(canvases, BUFFERS)
    end = _place(records, sizes, 0)
    for record in records:
        end = _place(record, lasting, end)
    return records, end


def plan_shared_buffers(
    model: np.void, layers: Records, rows: int, parts: int
) -> tuple[Records, Records, int]:
    """Place the activations of one canvas whose parts have ``rows`` rows each, whole sixteens.

    Returns:
        ``BUFFERS`` records of parts' own rows, [layers, parts], and of attention, which reads the
        rows of all, [parts]; and how many elements the scratch must have.
    """
    heads_at = np.zeros(parts, BUFFERS)
    end = _place(heads_at, _of_rows(model, layers, parts * rows), 0)
    for record in heads_at:
        end = _place(record, _of_queries(layers, parts * rows), end)
    rows_at = np.tile(heads_at, (len(layers), 1))
    for i, records in enumerate(rows_at):
        for name, width in _row_widths(model, layers[i : i + 1]).items():
            records[name] += np.arange(parts) * rows * width
    return rows_at, heads_at, end


def _row_widths(model: np.void, layers: Records) -> dict[str, int]:
    """Elements from row to row of each matrix, at most."""
    inner = int((layers["dense_width"] + layers["expert_width"]).max())
    stride = int(model["stride"])
    return {
        "belief": int(model["vocabulary_stride"]),
        "measured": int(max(model["measure_width"], model["vocabulary_stride"])),
        "inner": max(inner, int(model["inner_width"])),
        "projected": int(layers["projected_stride"].max()),
        "heads": int(layers["heads_stride"].max()),
        "dense": stride,
        "expert": stride,
        "residual": stride,
        "normed": stride,
    }


def _of_rows(model: np.void, layers: Records, rows: int) -> dict[str, int]:
    """Elements of so many rows of each matrix."""
    sizes = {name: rows * width for name, width in _row_widths(model, layers).items()}
    # And of sixteen heads, also where a row has fewer left.
    sizes["projected"] += LANES * int(layers["width"].max())
    return sizes


def _of_queries(layers: Records, keys: int) -> dict[str, int]:
    """Elements of what sixteen queries take, and sixteen rows whose lengths are taken."""
    width = int(layers["width"].max())
    return {"queries": LANES * width, "scores": keys * LANES, "sums": 2 * LANES}


def _place(records: Records | np.void, sizes: Mapping[str, int], start: int) -> int:
    """Buffers of these sizes, one after another from ``start`` on; where they end."""
    for name, size in sizes.items():
        records[name] = start
        start += padded(size, LANES)
    return start
