"""What lies between a layer's projection and its attention: norms of heads, rotary positions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class HeadNorms:
    """How the heads of a layer are normed.

    Attributes:
        q: [d], weights of the queries' norm.
        k: [d], of the keys'.
        eps: added to the mean square.
        heads: H.
        kv_heads: K.
        has_values: whether values have a projection of their own; else they are the raw keys.
    """

    q: Tensor
    k: Tensor
    eps: float
    heads: int
    kv_heads: int
    has_values: bool


def rotary_norm(
    packed: Tensor, norms: HeadNorms, rotation: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys normed and turned, values normed: [T, H, d], [T, K, d], [T, K, d].

    Args:
        packed: [T, (H + 2 K) d], queries, keys and values; [T, (H + K) d] without values.
        norms: of the layer.
        rotation: cosines and sines, [T, d] each; None turns nothing.
    """
    return plain_rotary_norm(packed, norms, rotation)


def plain_rotary_norm(
    packed: Tensor, norms: HeadNorms, rotation: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """See ``rotary_norm``; as ``engine.model.Attention`` does it."""
    size = norms.q.shape[0]
    split = packed.view(len(packed), -1, size).split(
        [norms.heads, *([norms.kv_heads] * (2 if norms.has_values else 1))], dim=1
    )
    raw_k = split[1]
    q, k = _normed(split[0], norms.q, norms.eps), _normed(raw_k, norms.k, norms.eps)
    v = _normed(split[2] if norms.has_values else raw_k, None, norms.eps)
    return (q, k, v) if rotation is None else (_turned(q, rotation), _turned(k, rotation), v)


def _normed(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    scale = None if weight is None else weight.float()
    return F.rms_norm(x.float(), x.shape[-1:], scale, eps).type_as(x)


def _turned(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = (part[:, None] for part in rotation)
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin
