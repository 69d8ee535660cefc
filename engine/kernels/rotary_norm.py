"""What lies between a layer's projection and its attention: norms of heads, and rotary positions.

T tokens, H heads, K heads of keys and values, d head size.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from engine.kernels.triton_device import on_device_of, runs_triton
from engine.rotation import Rotation, rotate

Projected = tuple[Tensor, Tensor, Tensor]  # q [T, H, d], k and v [T, K, d], each dense


def rotary_norm(
    packed: Tensor,
    q_weight: Tensor,
    k_weight: Tensor,
    eps: float,
    rotation: Rotation | None,
    *,
    heads: int,
    kv_heads: int,
) -> Projected:
    """Norms of queries, keys and values, the first two then turned to their positions.

    Args:
        packed: [T, (H + 2 K) d], float32 or bfloat16: queries, keys and values; or
            [T, (H + K) d] where the values are the raw keys.
        q_weight: [d], what the norm of queries is multiplied by.
        k_weight: [d], the same of keys. The norm of values is not multiplied.
        eps: added to the mean square.
        rotation: cosines and sines, each [T, d] in the dtype of ``packed``; None turns nothing.
        heads: H.
        kv_heads: K.
    """
    given = packed, q_weight, k_weight, eps, rotation
    if not runs_triton(packed):
        return plain_rotary_norm(*given, heads=heads, kv_heads=kv_heads)
    from engine.kernels.gpu_rotary_norm import gpu_rotary_norm

    with on_device_of(packed):
        return gpu_rotary_norm(*given, heads=heads, kv_heads=kv_heads)


def plain_rotary_norm(
    packed: Tensor,
    q_weight: Tensor,
    k_weight: Tensor,
    eps: float,
    rotation: Rotation | None,
    *,
    heads: int,
    kv_heads: int,
) -> Projected:
    """See ``rotary_norm``; as ``engine.layer.Attention.project`` rounds."""
    rows = packed.unflatten(-1, (-1, len(q_weight)))
    raw_q, raw_k, raw_v = rows[:, :heads], rows[:, heads : heads + kv_heads], rows[:, -kv_heads:]
    q, k = _norm(raw_q, q_weight, eps), _norm(raw_k, k_weight, eps)
    if rotation is not None:
        turn = rotation[0][None], rotation[1][None]
        q, k = rotate(q[None], turn)[0], rotate(k[None], turn)[0]
    return q, k, _norm(raw_v, None, eps)


def _norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    scale = None if weight is None else weight.float()
    return F.rms_norm(x.float(), x.shape[-1:], scale, eps).type_as(x).contiguous()
