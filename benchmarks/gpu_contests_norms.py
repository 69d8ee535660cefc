"""What lies between a layer's products: norms, rotation, gates, routing; and embeddings."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from benchmarks.gpu_contest import Contest, Heads, Sizes
from engine.kernels.add_norm import add_norm, plain_add_norm
from engine.kernels.embedding import embedding, plain_embedding
from engine.kernels.gated_gelu import gated_gelu, plain_gated_gelu
from engine.kernels.layer_norms import (
    LayerNorms,
    after_attention,
    after_feedforward,
    plain_after_attention,
    plain_after_feedforward,
)
from engine.kernels.rotary_norm import plain_rotary_norm, rotary_norm
from engine.kernels.router import choose_experts, plain_choose_experts
from engine.precision.weight import Weight

EPS = 1e-6


def norm_contests(sizes: Sizes, tokens: int, device: torch.device) -> Iterator[Contest]:
    """For so many tokens."""
    yield _add_norm(sizes, tokens, device)
    for rounded in (False, True):
        yield _after_attention(sizes, tokens, device, rounded)
        yield _after_feedforward(sizes, tokens, device, rounded)
        yield _gated_gelu(sizes, tokens, device, rounded)
    yield _rotary_norm("sliding", sizes, sizes.sliding, tokens, device)
    yield _rotary_norm("full", sizes, sizes.full, tokens, device)
    yield _router(sizes, tokens, device)
    yield _embedding(sizes, tokens, device)


def _random(*shape: int, device: torch.device) -> Tensor:
    return torch.randn(shape, dtype=torch.bfloat16, device=device)


def _norms(sizes: Sizes, device: torch.device) -> LayerNorms:
    a, b, c, d, e, f, g = 1 + _random(7, sizes.hidden, device=device) / 8
    return LayerNorms(a, b, c, d, e, f, g, EPS)


def _told(rounded: bool) -> str:
    """What is special of rows that are rounded as they are written."""
    return "to fp8" if rounded else ""


def _add_norm(sizes: Sizes, tokens: int, device: torch.device) -> Contest:
    x, residual = _random(2, tokens, sizes.hidden, device=device)
    weight = _random(sizes.hidden, device=device)
    return Contest(
        "add_norm",
        "",
        tokens,
        lambda: plain_add_norm(x, weight, EPS, residual),
        lambda: add_norm(x, weight, EPS, residual),
        4.0 * x.nbytes,
    )


def _after_attention(sizes: Sizes, tokens: int, device: torch.device, rounded: bool) -> Contest:
    x, attended = _random(2, tokens, sizes.hidden, device=device)
    norms = _norms(sizes, device)
    return Contest(
        "after_attention",
        _told(rounded),
        tokens,
        lambda: plain_after_attention(x, attended, norms, rounded=rounded),
        lambda: after_attention(x, attended, norms, rounded=rounded),
        (5.0 if rounded else 6.0) * x.nbytes,
    )


def _after_feedforward(sizes: Sizes, tokens: int, device: torch.device, rounded: bool) -> Contest:
    x, dense = _random(2, tokens, sizes.hidden, device=device)
    parts = _random(tokens, sizes.top_k, sizes.hidden, device=device)
    scalar = torch.full((1,), 0.5, dtype=torch.bfloat16, device=device)
    given = x, dense, parts, _norms(sizes, device), scalar, _random(sizes.hidden, device=device)
    return Contest(
        "after_feedforward",
        _told(rounded),
        tokens,
        lambda: plain_after_feedforward(*given, rounded=rounded),
        lambda: after_feedforward(*given, rounded=rounded),
        (3.5 if rounded else 4.0) * x.nbytes + parts.nbytes,
    )


def _rotary_norm(
    case: str, sizes: Sizes, heads: Heads, tokens: int, device: torch.device
) -> Contest:
    """Where there is no window, values are the raw keys."""
    rows = sizes.heads + heads.kv_heads * (1 if heads.window is None else 2)
    packed = _random(tokens, rows * heads.size, device=device)
    q, k = 1 + _random(2, heads.size, device=device) / 8
    angles = 6 * torch.rand(tokens, heads.size, device=device)
    turn = angles.cos().bfloat16(), angles.sin().bfloat16()
    given, kv_heads = (packed, q, k, EPS, turn), heads.kv_heads
    written = tokens * (sizes.heads + 2 * heads.kv_heads) * heads.size * packed.element_size()
    return Contest(
        "rotary_norm",
        case,
        tokens,
        lambda: plain_rotary_norm(*given, heads=sizes.heads, kv_heads=kv_heads),
        lambda: rotary_norm(*given, heads=sizes.heads, kv_heads=kv_heads),
        packed.nbytes + written + 2 * turn[0].nbytes,
    )


def _gated_gelu(sizes: Sizes, tokens: int, device: torch.device, rounded: bool) -> Contest:
    packed = _random(tokens, 2 * sizes.dense, device=device)
    return Contest(
        "gated_gelu",
        _told(rounded),
        tokens,
        lambda: plain_gated_gelu(packed, rounded=rounded),
        lambda: gated_gelu(packed, rounded=rounded),
        (1.25 if rounded else 1.5) * packed.nbytes,
    )


def _router(sizes: Sizes, tokens: int, device: torch.device) -> Contest:
    """Never quantised."""
    x = _random(tokens, sizes.hidden, device=device)
    router = Weight(_random(sizes.experts, sizes.hidden, device=device) * sizes.hidden**-0.5)
    given = x, router, _random(sizes.experts, device=device), sizes.top_k
    return Contest(
        "choose_experts",
        "",
        tokens,
        lambda: plain_choose_experts(*given),
        lambda: choose_experts(*given),
        x.nbytes + router.nbytes + tokens * sizes.top_k * (4.0 + 8.0),
        2.0 * tokens * sizes.experts * sizes.hidden,
    )


def _embedding(sizes: Sizes, tokens: int, device: torch.device) -> Contest:
    table = _random(sizes.vocabulary, sizes.hidden, device=device)
    chosen = torch.randint(sizes.vocabulary, (tokens,), device=device)
    return Contest(
        "embedding",
        "",
        tokens,
        lambda: plain_embedding(chosen, table, 53.0),
        lambda: embedding(chosen, table, 53.0),
        chosen.nbytes + 2.0 * tokens * sizes.hidden * table.element_size(),
    )
