"""``engine.kernels.rotary_norm`` in Triton: one program a head of a token.

It holds the two halves of the head, which are turned together, as two vectors. At 16 heads and
twice 8 of 256 in bfloat16 a token's 16 KB are read and written once, 8.4 MB for 256 tokens, which
in truth is bound by the launch; PyTorch's separate kernels pass over them several times.

Every rounding is the reference's but for that of the sum of squares, taken in another order: 1e-6
relative in float32, one unit in the last place in bfloat16, of which most values show none.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import nearest
from engine.kernels.rotary_norm import Projected
from engine.model import Rotation


def gpu_rotary_norm(
    packed: Tensor,
    q_weight: Tensor,
    k_weight: Tensor,
    eps: float,
    rotation: Rotation | None,
    *,
    heads: int,
    kv_heads: int,
) -> Projected:
    """See ``engine.kernels.rotary_norm.rotary_norm``."""
    packed = packed if packed.stride(1) == 1 else packed.contiguous()
    count, size = len(packed), len(q_weight)
    shared = packed.shape[1] == (heads + kv_heads) * size
    q = packed.new_empty(count, heads, size)
    k, v = (packed.new_empty(count, kv_heads, size) for _ in range(2))
    if not count:
        return q, k, v
    cos, sin = (q, q) if rotation is None else (x.contiguous() for x in rotation)
    block = triton.next_power_of_2(size // 2)
    _rotary_norm[(count, heads + (1 if shared else 2) * kv_heads)](
        packed,
        q_weight.contiguous(),
        k_weight.contiguous(),
        cos,
        sin,
        q,
        k,
        v,
        packed.stride(0),
        heads,
        kv_heads,
        eps,
        shared=shared,
        turned=rotation is not None,
        half=size // 2,
        block=block,
        num_warps=max(1, block // 128),
        enable_fp_fusion=False,  # a product and a sum in one would round once
    )
    return q, k, v


@triton.jit
def _rotary_norm(
    packed,
    q_weight,
    k_weight,
    cos,
    sin,
    q,
    k,
    v,
    packed_row,
    heads,
    kv_heads,
    eps,
    shared: tl.constexpr,
    turned: tl.constexpr,
    half: tl.constexpr,
    block: tl.constexpr,
):
    """One head of one token; where values are the raw keys, keys and values."""
    token, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    at = tl.arange(0, block)
    held = at < half
    own = packed + token * packed_row + head * (2 * half) + at
    low = tl.load(own, mask=held, other=0.0).to(tl.float32)
    high = tl.load(own + half, mask=held, other=0.0).to(tl.float32)
    squares = tl.sum(low * low, axis=0) + tl.sum(high * high, axis=0)
    scale = tl.rsqrt(squares / (2 * half) + eps)
    low *= scale
    high *= scale
    turn = token * (2 * half) + at
    if head < heads:
        spot = q + (token * heads + head) * (2 * half) + at
        _weigh_and_turn(low, high, q_weight + at, cos + turn, sin + turn, spot, held, turned, half)
    else:
        row = (token * kv_heads + (head - heads) % kv_heads) * (2 * half) + at
        if head < heads + kv_heads:
            _weigh_and_turn(
                low, high, k_weight + at, cos + turn, sin + turn, k + row, held, turned, half
            )
        if shared or head >= heads + kv_heads:
            dtype = v.dtype.element_ty
            tl.store(v + row, nearest(low, dtype), mask=held)
            tl.store(v + row + half, nearest(high, dtype), mask=held)


@triton.jit
def _weigh_and_turn(
    low, high, weight, cos, sin, out, held, turned: tl.constexpr, half: tl.constexpr
):
    """Multiply a normed head with its weight, turn it, and store it, rounding after each."""
    dtype = out.dtype.element_ty
    low = nearest(low * tl.load(weight, mask=held, other=0.0).to(tl.float32), dtype)
    high = nearest(high * tl.load(weight + half, mask=held, other=0.0).to(tl.float32), dtype)
    if turned:
        first, second = low.to(tl.float32), high.to(tl.float32)
        low = _turned(first, -second, cos, sin, held, dtype)
        high = _turned(second, first, cos + half, sin + half, held, dtype)
    tl.store(out, low, mask=held)
    tl.store(out + half, high, mask=held)


@triton.jit
def _turned(along, across, cos, sin, held, dtype: tl.constexpr):
    """``along * cos + across * sin``, each rounded."""
    kept = nearest(along * tl.load(cos, mask=held, other=0.0).to(tl.float32), dtype)
    moved = nearest(across * tl.load(sin, mask=held, other=0.0).to(tl.float32), dtype)
    return nearest(kept.to(tl.float32) + moved.to(tl.float32), dtype)
