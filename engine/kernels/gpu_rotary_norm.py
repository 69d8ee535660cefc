"""``engine.kernels.rotary_norm`` in Triton: a program has some heads of a kind, of one token.

It holds the two halves of its heads, which are turned together, as two tiles. Heads of a token are
turned alike, so that cosines and sines, as many bytes as two heads, are read once for several. At
16 heads and twice 8 of 256 in bfloat16 a token's 16 KB are read and written once, 8.4 MB for 256
tokens, which in truth is bound by the launch, and 134 MB for 4096, 32 us at 4.2 TB/s; PyTorch's
separate kernels pass over them several times.

Every rounding is the reference's but for that of the sum of squares, taken in another order: 1e-6
relative in float32, one unit in the last place in bfloat16, of which most values show none.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import nearest
from engine.kernels.rotary_norm import Projected
from engine.rotation import Rotation

#: Heads of a program, and numbers that a warp has of each half.
_HEADS, _WARP = 8, 512


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
    group = min(_HEADS, triton.next_power_of_2(max(heads, kv_heads)))
    groups = triton.cdiv(heads, group) + (1 if shared else 2) * triton.cdiv(kv_heads, group)
    _rotary_norm[(count, groups)](
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
        group=group,
        block=block,
        num_warps=max(1, min(8, group * block // _WARP)),
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
    group: tl.constexpr,
    block: tl.constexpr,
):
    """A group of heads of one token; where values are the raw keys, keys and values."""
    token, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    q_groups, kv_groups = tl.cdiv(heads, group), tl.cdiv(kv_heads, group)
    if part < q_groups:
        first, count, start = part * group, heads, 0
    else:
        first, count = (part - q_groups) % kv_groups * group, kv_heads
        start = tl.where(part < q_groups + kv_groups, heads, heads + kv_heads)
    at = tl.arange(0, block)[None, :]
    head = first + tl.arange(0, group)[:, None]
    inside = at < half
    held = (head < count) & inside
    own = packed + token * packed_row + (start + head) * (2 * half) + at
    low = tl.load(own, mask=held, other=0.0).to(tl.float32)
    high = tl.load(own + half, mask=held, other=0.0).to(tl.float32)
    squares = tl.sum(low * low, axis=1) + tl.sum(high * high, axis=1)
    scale = tl.rsqrt(squares / (2 * half) + eps)[:, None]
    low *= scale
    high *= scale
    row = (token * count + head) * (2 * half) + at
    turn = token * (2 * half) + at
    if part < q_groups:
        _weigh_and_turn(
            low, high, q_weight + at, cos + turn, sin + turn, q + row, inside, held, turned, half
        )
    elif part < q_groups + kv_groups:
        _weigh_and_turn(
            low, high, k_weight + at, cos + turn, sin + turn, k + row, inside, held, turned, half
        )
    if part >= q_groups + (0 if shared else kv_groups):
        dtype = v.dtype.element_ty
        tl.store(v + row, nearest(low, dtype), mask=held)
        tl.store(v + row + half, nearest(high, dtype), mask=held)


@triton.jit
def _weigh_and_turn(
    low, high, weight, cos, sin, out, inside, held, turned: tl.constexpr, half: tl.constexpr
):
    """Multiply normed heads with their weight, turn them, and store them, rounding after each."""
    dtype = out.dtype.element_ty
    low = nearest(low * _floats(weight, inside), dtype)
    high = nearest(high * _floats(weight + half, inside), dtype)
    if turned:
        first, second = low.to(tl.float32), high.to(tl.float32)
        low = _turned(first, -second, cos, sin, inside, dtype)
        high = _turned(second, first, cos + half, sin + half, inside, dtype)
    tl.store(out, low, mask=held)
    tl.store(out + half, high, mask=held)


@triton.jit
def _turned(along, across, cos, sin, inside, dtype: tl.constexpr):
    """``along * cos + across * sin``, each rounded."""
    kept = nearest(along * _floats(cos, inside), dtype)
    moved = nearest(across * _floats(sin, inside), dtype)
    return nearest(kept.to(tl.float32) + moved.to(tl.float32), dtype)


@triton.jit
def _floats(at, inside):
    return tl.load(at, mask=inside, other=0.0).to(tl.float32)
