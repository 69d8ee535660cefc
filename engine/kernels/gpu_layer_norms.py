"""``engine.kernels.layer_norms`` in Triton: a launch each, one program a row.

A row stays in registers from its first norm to its last, so that nothing in between is written.
At D = 2816 in bfloat16 a row of 5.6 KB is read twice and written four times after attention, read
ten times and written twice after the feed-forward, where 8 experts' outputs are summed, 9 and 17 MB
for 256 positions, of which PyTorch's separate kernels move several times as much; in truth both
are bound by the launch. For 4096 positions they are bound by memory, 33 and 66 us.

Every rounding is the reference's. The sums of squares are taken in another order: 1e-6 relative in
float32, one unit in the last place in bfloat16, of which most values show none.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from engine.kernels.gpu_numbers import nearest
from engine.kernels.gpu_row_rounding import empty_rows, store_row, warps_for, written
from engine.kernels.layer_norms import FeedForwardInputs, LayerNorms
from engine.kernels.row_rounding import Rows


def gpu_after_attention(
    x: Tensor, attended: Tensor, norms: LayerNorms, *, rounded: bool
) -> FeedForwardInputs:
    """See ``engine.kernels.layer_norms.after_attention``."""
    total, router = _like(x), _like(x)
    dense, routed = (empty_rows(x.shape, x.dtype, x.device, rounded=rounded) for _ in range(2))
    weights = norms.post_attention, norms.dense, norms.routed, norms.router
    size = x.shape[1]
    if len(x):
        _after_attention[(len(x),)](
            x.contiguous(),
            attended.contiguous(),
            *(weight.contiguous() for weight in weights),
            total,
            *written(dense),
            *written(routed),
            router,
            size,
            norms.eps,
            size**-0.5,
            rounded=rounded,
            **_block(size),
        )
    return FeedForwardInputs(total, dense, routed, router)


def gpu_after_feedforward(
    x: Tensor,
    dense: Tensor,
    parts: Tensor,
    norms: LayerNorms,
    scalar: Tensor,
    following: Tensor,
    *,
    rounded: bool,
) -> tuple[Tensor, Rows]:
    """See ``engine.kernels.layer_norms.after_feedforward``."""
    total, normed = _like(x), empty_rows(x.shape, x.dtype, x.device, rounded=rounded)
    weights = norms.post_dense, norms.post_routed, norms.post_feedforward, following
    size = x.shape[1]
    if len(x):
        _after_feedforward[(len(x),)](
            x.contiguous(),
            dense.contiguous(),
            parts.contiguous(),
            *(weight.contiguous() for weight in weights),
            scalar,
            total,
            *written(normed),
            size,
            norms.eps,
            count=parts.shape[1],
            rounded=rounded,
            **_block(size),
        )
    return total, normed


def _like(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def _block(size: int) -> dict[str, int]:
    """A row in one block, and the warps that hold it."""
    block = triton.next_power_of_2(size)
    return {"block": block, "num_warps": warps_for(block)}


@triton.jit
def _after_attention(
    x,
    attended,
    post_attention,
    dense_weight,
    routed_weight,
    router_weight,
    total,
    dense,
    dense_scales,
    routed,
    routed_scales,
    router,
    size,
    eps,
    root,
    rounded: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0)
    at = tl.arange(0, block)
    held = at < size
    own = row.to(tl.int64) * size + at
    dtype = total.dtype.element_ty
    added = _norm(_floats(attended + own, held), size, eps) * _floats(post_attention + at, held)
    value = _rounded(_floats(x + own, held) + _rounded(added, dtype), dtype)
    tl.store(total + own, value.to(dtype), mask=held)
    value = _norm(value, size, eps)
    weighed = value * _floats(dense_weight + at, held)
    store_row(weighed, dense + own, held, dense_scales + row, dtype, rounded)
    weighed = value * _floats(routed_weight + at, held)
    store_row(weighed, routed + own, held, routed_scales + row, dtype, rounded)
    scaled = _rounded(_rounded(value, dtype) * _floats(router_weight + at, held), dtype)
    tl.store(router + own, nearest(scaled * root, dtype), mask=held)


@triton.jit
def _after_feedforward(
    x,
    dense,
    parts,
    post_dense,
    post_routed,
    post_feedforward,
    following,
    scalar,
    total,
    normed,
    normed_scales,
    size,
    eps,
    count: tl.constexpr,
    rounded: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0)
    at = tl.arange(0, block)
    held = at < size
    own = row.to(tl.int64) * size + at
    dtype = total.dtype.element_ty
    # All is asked for before anything waits for other threads.
    visits = parts + row.to(tl.int64) * count * size + at
    routed = tl.zeros([block], tl.float32)
    for rank in tl.static_range(count):
        routed += _floats(visits + rank * size, held)
    before, first = _floats(x + own, held), _floats(dense + own, held)
    first = _norm(first, size, eps) * _floats(post_dense + at, held)
    second = _norm(_rounded(routed, dtype), size, eps) * _floats(post_routed + at, held)
    both = _rounded(_rounded(first, dtype) + _rounded(second, dtype), dtype)
    added = _norm(both, size, eps) * _floats(post_feedforward + at, held)
    value = _rounded(before + _rounded(added, dtype), dtype)
    value = _rounded(value * tl.load(scalar).to(tl.float32), dtype)
    tl.store(total + own, value.to(dtype), mask=held)
    weighed = _norm(value, size, eps) * _floats(following + at, held)
    store_row(weighed, normed + own, held, normed_scales + row, dtype, rounded)


@triton.jit
def _floats(at, held):
    """What lies there in float32, 0 behind the end of a row."""
    return tl.load(at, mask=held, other=0.0).to(tl.float32)


@triton.jit
def _norm(value, size, eps):
    """``value`` by its root mean square, not rounded."""
    return value * tl.rsqrt(tl.sum(value * value, axis=0) / size + eps)


@triton.jit
def _rounded(value, dtype: tl.constexpr):
    """As ``dtype`` would keep it, in float32."""
    return nearest(value, dtype).to(tl.float32)
