"""How the weights of a checkpoint are quantised: what ``config.json`` says, and what is stored.

A checkpoint is quantised by matrix: those of attention, of the dense and of the self-conditioning
MLP, and of the experts. Embeddings, norms, router and scalars stay as they are. In place of the
tensor of a matrix two are stored, which are named after it: NAME.values and NAME.scales.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config import ConfigError
from engine.precision.precision import GROUP, Precision

VALUES, SCALES = ".values", ".scales"
#: The key of ``config.json``.
KEY = "quantization"
#: What can be stored, by the name in ``config.json``.
QUANTIZED = {p.value: p for p in (Precision.INT4, Precision.INT8, Precision.FP8)}

_MODULES = ("self_attn.", "mlp.", "self_conditioning.", "experts.")
#: As inputs do, or as a module of ``engine.precision`` says.
_ORDERS = {Precision.FP8: "inputs", Precision.INT8: "pairs", Precision.INT4: "nibbles"}
_STORED_DTYPES = {Precision.FP8: "F8_E4M3", Precision.INT8: "I8", Precision.INT4: "U8"}
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Quantization:
    """What the matrices of a checkpoint are kept in.

    Attributes:
        precision: one of ``QUANTIZED``.
    """

    precision: Precision

    @classmethod
    def from_file(cls, path: Path) -> Quantization | None:
        """What a ``config.json``, found good otherwise, says; None for weights that are floats.

        Raises:
            ConfigError: a precision, a group or an order that there is not.
        """
        entry = json.loads(path.read_text(encoding="utf-8")).get(KEY)
        if entry is None:
            return None
        if not isinstance(entry, dict):
            raise ConfigError(f"{KEY}: got {entry!r}, expected an object")
        name, group = entry.get("precision"), entry.get("group")
        if name not in QUANTIZED:
            raise ConfigError(f"{KEY}.precision: got {name!r}, accepted: {', '.join(QUANTIZED)}")
        found = cls(QUANTIZED[name])
        if group != found.group:
            raise ConfigError(f"{KEY}.group: got {group!r}, accepted for {name}: {found.group}")
        if entry.get("order") != found.order:
            raise ConfigError(
                f"{KEY}.order: got {entry.get('order')!r}, accepted for {name}: {found.order!r}; "
                "quantise the checkpoint again"
            )
        return found

    @property
    def group(self) -> int | None:
        """Inputs that share a scale; None where all of an output do."""
        return GROUP if self.precision is Precision.INT4 else None

    @property
    def order(self) -> str:
        """In which values of an output lie."""
        return _ORDERS[self.precision]

    @property
    def stored_dtype(self) -> str:
        """Of values, in the spelling of safetensors."""
        return _STORED_DTYPES[self.precision]

    def to_json(self) -> dict[str, Any]:
        """What ``config.json`` says."""
        return {"precision": self.precision.value, "group": self.group, "order": self.order}

    def stored_shapes(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """What is stored in place of parameters of these names and shapes, in order."""
        found: dict[str, Shape] = {}
        for name, shape in shapes.items():
            found |= self._parts(name, shape) if is_quantized(name) else {name: shape}
        return found

    def nbytes(self, shape: Shape) -> int:
        """Bytes of a matrix with its scales."""
        values, scales = self._parts("", shape).values()
        scale_dtype = self.precision.scale_dtype
        assert scale_dtype is not None
        return math.prod(values) + math.prod(scales) * scale_dtype.itemsize

    def _parts(self, name: str, shape: Shape) -> dict[str, Shape]:
        *outputs, inputs = shape
        if self.precision is Precision.INT4:
            groups, inputs = -(-inputs // GROUP), inputs // 2
        else:
            groups = 1
        return {name + VALUES: (*outputs, inputs), name + SCALES: (*outputs, groups)}


def is_quantized(name: str) -> bool:
    """Whether a parameter, by our name, is a matrix that a quantised checkpoint quantises."""
    path = name.split(".", 2)[-1] if name.startswith("layers.") else name
    return path.startswith(_MODULES) and path.removesuffix(".weight").endswith("_proj")
