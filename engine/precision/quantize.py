"""From floats to the values and scales that are kept: always to the nearest.

int4 is symmetric, without a zero point. The end of a group that is farthest from 0 becomes -8,
whichever its sign, so that all 16 values are used, and of a few smaller scales, which clip it, that
with the least squared error is taken. Relative errors ||W - Q|| / ||W|| in groups of 128:

    ==================================  ========  ==========  ===================
    int4                                 normal   Student, 4  bundled Sudoku, 96
    ==================================  ========  ==========  ===================
    largest becomes 7                    0.118     0.194       0.124
    farthest becomes -8                  0.104     0.170       0.110
    the same, best of five scales        0.097     0.158       0.104
    zero point, best of nine scales      0.096     0.139       0.099
    ==================================  ========  ==========  ===================

A zero point gains 2 % where weights are normal, as a large model's nearly are. It would cost 4 to
16 bits a group, and in a product the sums of x over each group.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.precision.nibbles import packed
from engine.precision.pairs import paired
from engine.precision.precision import GROUP, Precision
from engine.precision.weight import Weight

_LARGEST = {Precision.FP8: 448.0, Precision.INT8: 127.0}
_LOWEST, _HIGHEST = -8, 7  # of int4
#: Of the scale that puts the farthest value on -8.
_SHRUNK = (1.0, 0.95, 0.9, 0.85, 0.8)


def quantize(tensor: Tensor, precision: Precision) -> Weight:
    """Keep a matrix in another precision.

    Args:
        tensor: floats, [N, K] or [E, N, K].
        precision: floats are cast, all others made of float32.

    Raises:
        ValueError: a value is not finite, or K cannot be packed (``Precision.refuse``).
    """
    if precision.scale_dtype is None:
        return Weight(tensor.to(precision.dtype))
    precision.refuse(tensor.shape[-1])
    if tensor.dim() == 3:  # expert by expert: what is in between is several times as large
        experts = [quantize(expert, precision) for expert in tensor]
        values = torch.stack([expert.values.view(torch.uint8) for expert in experts])
        scales = torch.stack([x.scales for x in experts if x.scales is not None])
        return Weight(values.view(precision.dtype), scales)
    if not tensor.isfinite().all():
        raise ValueError("not all values are finite")
    if precision is Precision.INT4:
        return _to_int4(tensor.float())
    largest = _LARGEST[precision]
    scales = _not_zero(tensor.float().abs().amax(dim=-1, keepdim=True) / largest)
    values = (tensor.float() / scales).clamp(-largest, largest)
    values = values.round() if precision is Precision.INT8 else values
    kept = values.to(precision.dtype)
    return Weight(paired(kept) if precision is Precision.INT8 else kept, scales)


def relative_error(tensor: Tensor, weight: Weight) -> float:
    """``||W - Q|| / ||W||``; 0 for a matrix of zeros."""
    lost, size = squared_error(tensor, weight)
    return (lost / size) ** 0.5 if size else 0.0


def squared_error(tensor: Tensor, weight: Weight) -> tuple[float, float]:
    """``||W - Q||^2`` and ``||W||^2``, expert by expert."""
    if tensor.dim() == 3:
        parts = [
            squared_error(expert, weight.of_expert(index)) for index, expert in enumerate(tensor)
        ]
        return sum(lost for lost, _ in parts), sum(size for _, size in parts)
    exact = tensor.float()
    lost = (exact - weight.dequantized().float()).square().sum(dtype=torch.float64)
    return float(lost), float(exact.square().sum(dtype=torch.float64))


def _to_int4(tensor: Tensor) -> Weight:
    """Float32 [N, K]."""
    values, scales = zip(
        *(_group_to_int4(x) for x in torch.split(tensor, GROUP, dim=-1)), strict=True
    )
    return Weight(packed(torch.cat(values, dim=-1)), torch.cat(scales, dim=-1))


def _group_to_int4(group: Tensor) -> tuple[Tensor, Tensor]:
    """Float32 [N, at most GROUP] -> values int8, shaped alike, and scales bfloat16 [N, 1]."""
    farthest = group.gather(-1, group.abs().argmax(dim=-1, keepdim=True))
    best, scales, least = _rounded(group, farthest / _LOWEST)
    for share in _SHRUNK[1:]:
        values, other, lost = _rounded(group, share * farthest / _LOWEST)
        better = lost < least
        best = torch.where(better, values, best)
        scales, least = torch.where(better, other, scales), torch.where(better, lost, least)
    return best.to(torch.int8), scales


def _rounded(group: Tensor, scales: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values as floats, scales as they are kept, and the squared error [N, 1]."""
    kept = _not_zero(scales.to(torch.bfloat16))
    scale = kept.float()
    values = (group / scale).round().clamp(_LOWEST, _HIGHEST)
    return values, kept, (values * scale - group).square().sum(dim=-1, keepdim=True)


def _not_zero(scales: Tensor) -> Tensor:
    """1 for what is all zeros."""
    return torch.where(scales == 0, torch.ones_like(scales), scales)
