"""The norms and sums between the products of a layer, each in one pass over the activations.

T tokens, D hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.row_rounding import Rows, plain_rows
from engine.kernels.triton_device import on_device_of, runs_triton


@dataclass(frozen=True, eq=False)
class LayerNorms:
    """The norms of a layer, weights [D] each.

    Attributes:
        post_attention: of what attention adds.
        dense: before the dense MLP.
        routed: before the experts.
        post_dense: of the dense MLP's output.
        post_routed: of the experts' output.
        post_feedforward: of the sum of both.
        router: what the router scales its scale-free norm by.
        eps: added to the mean square.
    """

    post_attention: Tensor
    dense: Tensor
    routed: Tensor
    post_dense: Tensor
    post_routed: Tensor
    post_feedforward: Tensor
    router: Tensor
    eps: float


@dataclass(frozen=True, eq=False)
class FeedForwardInputs:
    """The residual after attention, and what is made of it, [T, D] each.

    Attributes:
        x: the residual.
        dense: normed for the dense MLP.
        routed: normed for the experts.
        router: normed for the router, scaled by its weights and D^-0.5.
    """

    x: Tensor
    dense: Rows
    routed: Rows
    router: Tensor


def after_attention(
    x: Tensor, attended: Tensor, norms: LayerNorms, *, rounded: bool = False
) -> FeedForwardInputs:
    """Add attention's output, normed, and norm the sum for what reads it next.

    Args:
        x: the residual, [T, D].
        attended: attention's output, [T, D].
        norms: of the layer.
        rounded: whether ``dense`` and ``routed`` are to be rounded, as fp8 products take them.
    """
    if not runs_triton(x):
        return plain_after_attention(x, attended, norms, rounded=rounded)
    from engine.kernels.gpu_layer_norms import gpu_after_attention

    with on_device_of(x):
        return gpu_after_attention(x, attended, norms, rounded=rounded)


def after_feedforward(
    x: Tensor,
    dense: Tensor,
    parts: Tensor,
    norms: LayerNorms,
    scalar: Tensor,
    following: Tensor,
    *,
    rounded: bool = False,
) -> tuple[Tensor, Rows]:
    """Add both feed-forward outputs, normed, and scale: the next residual, and its norm.

    Args:
        x: the residual, [T, D].
        dense: the dense MLP's output, [T, D].
        parts: the experts', [T, k, D], which are summed in order and rounded first.
        norms: of the layer.
        scalar: [1], the layer's.
        following: [D], weights of the norm that reads the residual next.
        rounded: whether that norm is to be rounded, as fp8 products take it.
    """
    given = x, dense, parts, norms, scalar, following
    if not runs_triton(x):
        return plain_after_feedforward(*given, rounded=rounded)
    from engine.kernels.gpu_layer_norms import gpu_after_feedforward

    with on_device_of(x):
        return gpu_after_feedforward(*given, rounded=rounded)


def plain_after_attention(
    x: Tensor, attended: Tensor, norms: LayerNorms, *, rounded: bool = False
) -> FeedForwardInputs:
    """See ``after_attention``; as ``engine.layer.Layer`` does it."""
    eps = norms.eps
    x = x + normed(attended, norms.post_attention, eps)
    router = normed(x, None, eps) * norms.router * x.shape[-1] ** -0.5
    dense, routed = (
        plain_rows(normed(x, weight, eps), rounded=rounded)
        for weight in (norms.dense, norms.routed)
    )
    return FeedForwardInputs(x, dense, routed, router)


def plain_after_feedforward(
    x: Tensor,
    dense: Tensor,
    parts: Tensor,
    norms: LayerNorms,
    scalar: Tensor,
    following: Tensor,
    *,
    rounded: bool = False,
) -> tuple[Tensor, Rows]:
    """See ``after_feedforward``; as ``engine.layer.Layer`` does it."""
    eps = norms.eps
    both = normed(dense, norms.post_dense, eps) + normed(summed(parts), norms.post_routed, eps)
    x = (x + normed(both, norms.post_feedforward, eps)) * scalar
    return x, plain_rows(normed(x, following, eps), rounded=rounded)


def normed(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """The root-mean-square norm of ``x`` [..., D], computed in float32."""
    scale = None if weight is None else weight.float()
    return F.rms_norm(x.float(), x.shape[-1:], scale, eps).type_as(x)


def summed(parts: Tensor) -> Tensor:
    """The sum of [T, k, D] over k, in float32 and in order, rounded once: [T, D].

    ``engine.feed_forward.Experts`` rounds after each expert instead, in the order of experts. In
    bfloat16 that is 2^-8 of the largest of the k terms.
    """
    total = torch.zeros_like(parts[:, 0], dtype=torch.float32)
    for rank in range(parts.shape[1]):
        total += parts[:, rank]
    return total.to(parts.dtype)
